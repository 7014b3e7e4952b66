import { fork } from "node:child_process";
import { once } from "node:events";
import type { Oracle, OracleOptions } from "./server.ts";

/** An oracle in a process of its own: whoever stalls the test's event loop does not delay its stamps. */
export async function startOracleApart(options: OracleOptions): Promise<Oracle> {
  const child = fork(new URL("./server-process.ts", import.meta.url), [JSON.stringify(options)], {
    execArgv: ["--no-warnings"],
  });
  const ended = once(child, "exit");
  const answer = await Promise.race([once(child, "message"), ended]);
  if (child.exitCode !== null) throw new Error(`The oracle's process ended with code ${child.exitCode}.`);
  const url = String(answer[0]);
  return {
    url,
    report: async () => (await fetch(`${url}/arrivals`)).json(),
    async stop() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
