import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, apiWith } from "./api.ts";
import { Mark } from "./mark.tsx";

interface LoginProps {
  /** Why one has to enter again. */
  readonly why: string;
  enter(token: string): void;
}

/** Asks for the admin token, and tries it before it lets in. */
export function Login({ why, enter }: LoginProps) {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState(why);
  const [isTrying, setTrying] = useState(false);
  useEffect(() => field.current?.focus(), []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const token = field.current!.value.trim();
    if (!/^[\x21-\x7e]+$/.test(token)) {
      setProblem(token === "" ? "Enter the token." : "A token has no spaces and no letters beyond ASCII.");
      return;
    }
    setTrying(true);
    try {
      await apiWith(token).get("status");
      enter(token);
    } catch (error) {
      setTrying(false);
      setProblem(error instanceof ApiError ? error.message : "The gateway cannot be reached.");
      field.current?.select();
    }
  }

  return (
    <main class="login">
      <form onSubmit={submit} aria-labelledby="login-title">
        <Mark />
        <h1 id="login-title">Sluice</h1>
        <label for="token">Admin token</label>
        <input
          id="token"
          ref={field}
          type="password"
          autocomplete="current-password"
          spellcheck={false}
          aria-describedby="token-hint token-problem"
          aria-invalid={problem !== ""}
        />
        <p id="token-hint" class="hint">
          The <code>SLUICE_ADMIN_TOKEN</code> that the gateway was started with. This tab keeps it until it is closed.
        </p>
        <p id="token-problem" class="problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="primary" disabled={isTrying}>
          Sign in
        </button>
      </form>
    </main>
  );
}
