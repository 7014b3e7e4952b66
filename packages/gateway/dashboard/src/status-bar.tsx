import { useEffect, useState } from "preact/hooks";
import { clock, duration } from "./format.ts";
import { Mark } from "./mark.tsx";
import type { Connection, State } from "./state.ts";

/** Where the gateway stands: mode, store, version of the policies, what is wrong, and whether the page is up to date. */
export function StatusBar({ state, leave }: { state: State; leave(): void }) {
  const { status, connection, clockAheadMs } = state;
  const now = Date.now() + clockAheadMs;
  return (
    <header class="status">
      <div class="bar">
        <span class="name">
          <Mark />
          <h1>Sluice</h1>
        </span>
        {status !== undefined && (
          <>
            <span
              class={`mode ${status.mode}`}
              title={
                status.mode === "shadow" ? "Counts what it would refuse, and refuses nothing" : "Limits are in force"
              }
            >
              {status.mode}
            </span>
            <dl class="facts">
              <div>
                <dt>Store</dt>
                <dd class={status.problems.some((one) => one.includes("store")) ? "bad" : "good"}>{status.store}</dd>
              </div>
              <div>
                <dt>Policies</dt>
                <dd class={status.lastReload?.ok === false ? "bad" : ""} title={status.file ?? "from the command line"}>
                  v{status.version}
                  {status.lastReload !== undefined &&
                    (status.lastReload.ok
                      ? `, read ${clock(status.lastReload.at)}`
                      : `, the file is bad since ${clock(status.lastReload.at)}`)}
                </dd>
              </div>
              <div>
                <dt>Up</dt>
                <dd>{duration(Math.floor((now - status.startedAt) / 1000) * 1000)}</dd>
              </div>
            </dl>
          </>
        )}
        <span class="right">
          <ConnectionMark connection={connection} />
          <button type="button" class="quiet" onClick={leave}>
            Sign out
          </button>
        </span>
      </div>
      <Problems state={state} />
    </header>
  );
}

function ConnectionMark({ connection }: { connection: Connection }) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (connection.kind !== "lost") return undefined;
    const timer = setInterval(() => tick((n) => n + 1), 1_000);
    return () => clearInterval(timer);
  }, [connection]);
  const text =
    connection.kind === "live"
      ? "Live"
      : connection.kind === "connecting"
        ? "Connecting …"
        : `Connection lost, again in ${duration(connection.againAt - Date.now())}`;
  return <span class={`connection ${connection.kind}`}>{text}</span>;
}

/** What operators must not overlook. Said aloud when it begins, not each second. */
function Problems({ state: { status, connection, seconds, clockAheadMs } }: { state: State }) {
  const since = Date.now() + clockAheadMs - 60_000;
  const isDegraded = seconds.some(({ at, degraded }) => at > since && degraded > 0);
  const problems = [
    ...(status?.problems ?? []),
    ...(isDegraded ? ["decisions of the last minute were made without the store"] : []),
    ...(status?.lastReload?.ok === false
      ? ["the policy file is bad, and the last good one stays: the log says why"]
      : []),
    ...(connection.kind === "lost" ? [`${connection.why} What you see is from before.`] : []),
  ];
  return (
    <div role="alert">
      {problems.length > 0 && (
        <ul class="problems">
          {problems.map((problem) => (
            <li key={problem}>{capital(problem)}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
