import type { UpstreamData } from "../../src/admin/routes.ts";
import { count, decimal, percent } from "./format.ts";

/** The servers behind, and what they have to do. */
export function Servers({ upstreams }: { upstreams: readonly UpstreamData[] }) {
  return (
    <section class="panel rest" aria-labelledby="servers-title">
      <header>
        <h2 id="servers-title">Servers behind</h2>
      </header>
      {upstreams.length === 0 ? (
        <p class="empty">There is none to be seen: over stdio, and in a server of your own.</p>
      ) : (
        <ul class="servers">
          {upstreams.map((upstream) => (
            <Server key={`${upstream.name} ${upstream.path}`} upstream={upstream} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Server({ upstream }: { upstream: UpstreamData }) {
  const { name, path, problem, running, waiting, answered, failed = 0, answerMs, breaker, rate } = upstream;
  const facts: readonly (readonly [string, string | undefined, string?])[] = [
    ["Running", running === undefined ? undefined : count(running)],
    ["In line", waiting === undefined ? undefined : count(waiting)],
    ["Answered", answered === undefined ? undefined : count(answered)],
    ["Failed", failed === 0 ? undefined : count(failed), "refused-text"],
    ["Answers begin after", answerMs === undefined ? undefined : `${decimal(answerMs)} ms`],
    ["Breaker", breaker, breaker === "closed" ? "" : "refused-text"],
    ["Rate", rate === undefined ? undefined : percent(rate, 1), rate === 1 ? "" : "waited-text"],
  ];
  return (
    <li>
      <p>
        <span class={problem === undefined ? "dot good" : "dot bad"} aria-hidden="true" />
        <b>{name}</b> <span class="hint">{path}</span>
        <span class="unseen">{problem === undefined ? "is there" : "has a problem"}</span>
      </p>
      {problem !== undefined && <p class="problem">{problem}</p>}
      <dl class="facts">
        {facts.map(
          ([what, value, tone = ""]) =>
            value !== undefined && (
              <div key={what}>
                <dt>{what}</dt>
                <dd class={tone}>{value}</dd>
              </div>
            ),
        )}
      </dl>
    </li>
  );
}
