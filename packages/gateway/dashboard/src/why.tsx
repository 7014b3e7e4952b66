import type { DecisionData } from "../../src/admin/live/decision-data.ts";
import { clientName, count, duration } from "./format.ts";
import { Says } from "./says.tsx";

type QuotaData = DecisionData["decisions"][number];

/** Why a call was allowed or refused: every quota before and after, whose it was, and what the model was told. */
export function Why({ decision }: { decision: DecisionData }) {
  const { decisions, text, client, mode, isToComeAgain } = decision;
  return (
    <div class="explanation">
      <p>{verdictOf(decision)}</p>
      {decisions.length > 0 && (
        <table class="quotas">
          <caption class="unseen">What each quota had before and after</caption>
          <thead>
            <tr>
              <th scope="col">Quota</th>
              <th scope="col" class="number">
                Asked
              </th>
              <th scope="col" class="number">
                Before
              </th>
              <th scope="col" class="number">
                After
              </th>
              <th scope="col">Says</th>
              <th scope="col">Key, and how it is made</th>
            </tr>
          </thead>
          <tbody>
            {decisions.map((one) => (
              <tr key={`${one.quota}${one.key}`}>
                <th scope="row">
                  {one.policy}
                  <span class="hint"> {one.rate}</span>
                </th>
                <td class="number">{count(one.cost)}</td>
                <td class="number">{count(one.before)}</td>
                <td class="number">{count(one.remaining)}</td>
                <td>
                  <Says mode={mode} decision={one} />
                  <span class="hint">, new in {duration(one.resetAfterMs)}</span>
                </td>
                <td>
                  <code class="key">{one.key}</code>
                  <span class="hint">{keyStory(one, client)}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {text !== undefined && mode === "enforce" && !isToComeAgain && (
        <figure>
          <figcaption>What the model saw</figcaption>
          <blockquote>{text}</blockquote>
        </figure>
      )}
      {isToComeAgain && <p class="hint">The client was asked to come again with a ticket. The model saw nothing.</p>}
      {text !== undefined && mode === "shadow" && (
        <p class="hint">This limit is on trial: the model saw nothing of it, and the call went on.</p>
      )}
    </div>
  );
}

function verdictOf({ allowed, decisions, degraded, isBlock, loop, waitedMs, mode }: DecisionData): string {
  const store = degraded ? " It was decided without the store." : "";
  if (isBlock) return `An operator lets nothing of this client pass for now.${store}`;
  if (loop !== undefined) return "The client made the same call again and again, and got the same answer.";
  const waited = waitedMs > 0 ? ` after ${duration(waitedMs)} in line` : "";
  if (allowed)
    return `All ${decisions.length === 1 ? "of one limit" : `${decisions.length} quotas`} said yes${waited}.${store}`;
  const against = decisions.filter((one) => !one.allowed).map(({ policy }) => policy);
  const would = mode === "shadow" ? "would have said no" : "said no";
  return `${against.join(" and ") || "A limit"} ${would}${waited}, so nothing was taken from any of them.${store}`;
}

const WORDS: Readonly<Record<string, (client: string) => string>> = {
  client: (client) => `the client, known by its ${clientName(client).kind}`,
  address: () => "the client's address",
  everyone: () => "one key for all clients together",
  tool: () => "the tool",
  method: () => "the method",
  session: () => "the session",
};

/** How the key is made, in words. */
function keyStory({ keyParts = [] }: QuotaData, client: string): string {
  return keyParts
    .map((part) => {
      const [kind = "", name = ""] = part.split(/:(.*)/s);
      if (kind === "header") return `the header ${name}`;
      if (kind === "argument") return `the argument ${name}`;
      return WORDS[kind]?.(client) ?? part;
    })
    .join(", then ");
}
