import { useState } from "preact/hooks";
import type { ClientRow } from "../../src/admin/clients.ts";
import type { ToolRow } from "../../src/admin/live/counts.ts";
import type { ExplanationData } from "../../src/explained.ts";
import type { Api } from "./api.ts";
import { Dialog } from "./dialog.tsx";
import { clientName, count } from "./format.ts";
import { Says } from "./says.tsx";
import { Scroll } from "./scroll.tsx";

interface WhatIfProps {
  readonly api: Api;
  readonly clients: readonly ClientRow[];
  readonly tools: readonly ToolRow[];
  close(): void;
}

/** What is called, and how its request names it. */
const METHODS = [
  { method: "tools/call", label: "Tool", param: "name", example: "search" },
  { method: "resources/read", label: "URI", param: "uri", example: "file:///report.txt" },
  { method: "prompts/get", label: "Prompt", param: "name", example: "summary" },
] as const;

/** A client that is not known by a key. */
const BY_ADDRESS = "";

/** Asks what would become of a call that nobody makes: which limits it falls under, under which keys, and what each would say. Nothing is taken. */
export function WhatIf({ api, clients, tools, close }: WhatIfProps) {
  const [method, setMethod] = useState<string>("tools/call");
  const [name, setName] = useState(tools[0]?.tool ?? "");
  const [given, setGiven] = useState("");
  const [client, setClient] = useState(clients[0]?.client ?? BY_ADDRESS);
  const [address, setAddress] = useState("");
  const [said, setSaid] = useState<ExplanationData>();
  const { label, param, example } = METHODS.find((one) => one.method === method)!;

  /** What was said is about another call. */
  const anew = (set: (value: string) => void) => (value: string) => {
    setSaid(undefined);
    set(value);
  };

  async function ask(): Promise<void> {
    const params = { [param]: name.trim(), ...(method !== "resources/read" && { arguments: argumentsIn(given) }) };
    const origin = client === BY_ADDRESS ? { address: address.trim() } : { client };
    setSaid(await api.send<ExplanationData>("POST", "decisions", { call: { method, params }, ...origin }));
  }

  return (
    <Dialog
      title="What if this call came now?"
      action="Ask"
      isWide
      staysOpen
      canAct={name.trim() !== "" && (client !== BY_ADDRESS || address.trim() !== "")}
      act={ask}
      close={close}
    >
      <p class="hint">Nothing is called, and nothing is taken from any limit.</p>
      <div class="fields">
        <label>
          Method
          <select value={method} onChange={({ currentTarget }) => anew(setMethod)(currentTarget.value)}>
            {METHODS.map((one) => (
              <option key={one.method} value={one.method}>
                {one.method}
              </option>
            ))}
          </select>
        </label>
        <label>
          {label}
          <input
            value={name}
            list="known-tools"
            placeholder={example}
            autofocus
            onInput={({ currentTarget }) => anew(setName)(currentTarget.value)}
          />
        </label>
        <datalist id="known-tools">
          {method === "tools/call" && tools.map(({ tool }) => <option key={tool} value={tool} />)}
        </datalist>
        {method !== "resources/read" && (
          <label>
            Arguments, as JSON
            <input
              value={given}
              placeholder={'{"query": "…"}'}
              spellcheck={false}
              onInput={({ currentTarget }) => anew(setGiven)(currentTarget.value)}
            />
          </label>
        )}
        <label>
          Client
          <select value={client} onChange={({ currentTarget }) => anew(setClient)(currentTarget.value)}>
            {clients.map((one) => {
              const { kind, name: who } = clientName(one.client);
              return (
                <option key={one.client} value={one.client}>
                  {kind} {who}
                </option>
              );
            })}
            <option value={BY_ADDRESS}>one that is known by its address alone</option>
          </select>
        </label>
        {client === BY_ADDRESS && (
          <label>
            Address
            <input
              value={address}
              placeholder="203.0.113.7"
              onInput={({ currentTarget }) => anew(setAddress)(currentTarget.value)}
            />
          </label>
        )}
      </div>
      <div role="status" class="explanation">
        {said !== undefined && <Said said={said} />}
      </div>
    </Dialog>
  );
}

/** @throws SyntaxError, TypeError in words for people */
function argumentsIn(text: string): object {
  if (text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`Arguments are JSON, such as {"query": "…"}, but: ${(error as Error).message}.`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new TypeError(`Arguments are an object, such as {"query": "…"}, but this is ${text.trim()}.`);
}

function Said({ said }: { said: ExplanationData }) {
  const { blockedUntil, tier, limits, text } = said;
  const [tone, verdict] = verdictOf(said);
  if (limits.length === 0) return <p>It falls under no limit: it always passes.</p>;
  return (
    <>
      <p>
        <span class={`tag ${tone}`}>{verdict}</span>
        {tier !== undefined && <span class="tag">{tier}</span>}
        {blockedUntil !== undefined &&
          ` An operator blocks this client until ${new Date(blockedUntil).toLocaleString()}.`}
      </p>
      <Scroll title="what-if-said">
        <table class="quotas">
          <caption class="unseen" id="what-if-said">
            What each limit would say
          </caption>
          <thead>
            <tr>
              <th scope="col">Limit</th>
              <th scope="col" class="number">
                Takes
              </th>
              <th scope="col" class="number">
                Left after
              </th>
              <th scope="col">Says</th>
              <th scope="col">Key</th>
            </tr>
          </thead>
          <tbody>
            {limits.map(({ policy, rate, mode, cost, key, decision }) => (
              <tr key={`${mode}${policy}${rate}`}>
                <th scope="row">
                  {policy}
                  {mode === "shadow" && <span class="tag shadow">on trial</span>}
                  <span class="hint"> {rate}</span>
                </th>
                <td class="number">{count(cost)}</td>
                <td class="number">{count(decision.remaining)}</td>
                <td>
                  <Says mode={mode} decision={decision} />
                </td>
                <td>
                  <code class="key">{key}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {text !== undefined && (
        <figure>
          <figcaption>What the model would see</figcaption>
          <blockquote>{text}</blockquote>
        </figure>
      )}
    </>
  );
}

function verdictOf({ allowed, waits = false }: ExplanationData): readonly [tone: string, verdict: string] {
  if (allowed) return ["passed", "would pass"];
  return waits ? ["waited", "would stand in line"] : ["refused", "would be refused"];
}
