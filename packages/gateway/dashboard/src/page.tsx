import { useState } from "preact/hooks";
import { keptToken } from "./api.ts";
import { Dashboard } from "./dashboard.tsx";
import { Login } from "./login.tsx";

/** Either the question who is there, or the page itself. */
export function Page() {
  const [token, setToken] = useState(keptToken.read);
  const [why, setWhy] = useState("");

  function enter(given: string): void {
    keptToken.keep(given);
    setToken(given);
  }

  function leave(reason: string): void {
    keptToken.forget();
    setToken(null);
    setWhy(reason);
  }

  return token === null ? <Login why={why} enter={enter} /> : <Dashboard token={token} leave={leave} />;
}
