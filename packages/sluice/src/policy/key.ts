import { shown } from "../algorithms/numbers.ts";
import type { McpCall } from "./call.ts";

/**
 * Whose limit a call falls under, one word for each part:
 *
 * - `"client"`: who the gate says it is: the verified principal, else the connection, else the address
 * - `"address"`: the client's address, whoever it is; `"everyone"`: all calls together
 * - `"tool"`, `"method"`, `"session"`: of the call
 * - `"header:NAME"`, `"argument:PATH"`: what the client wrote there; `argument:filter.owner` looks into objects
 */
export type KeyPart =
  | "client"
  | "address"
  | "everyone"
  | "tool"
  | "method"
  | "session"
  | `header:${string}`
  | `argument:${string}`;

/** Parts that together are the key, or a function that makes it: `undefined` leaves the call out of the policy. */
export type PolicyKey = KeyPart | readonly KeyPart[] | ((call: McpCall, client: string) => string | undefined);

export type KeyOf = (call: McpCall, client: string) => string | undefined;

/** How much of a part that the client writes is kept: no limit needs more, and the memory for keys stays bounded. */
const LONGEST_PART = 256;

const READERS: Readonly<Record<string, (call: McpCall, client: string) => unknown>> = {
  client: (_call, client) => client,
  address: ({ address }) => address,
  everyone: () => "",
  tool: ({ tool }) => tool,
  method: ({ method }) => method,
  session: ({ sessionId }) => sessionId,
};

/** Parts that say who somebody is. Others are only further dimensions: a client writes them as it likes. */
const IDENTIFYING: ReadonlySet<string> = new Set(["client", "address"]);

/**
 * Makes the key of calls. A part that a call lacks is a value of its own, so that leaving it out opens no new limit.
 *
 * @throws TypeError for an unknown part; RangeError for a key that a client could change at will.
 */
export function keyOf(key: PolicyKey = "client"): KeyOf {
  if (typeof key === "function") return (call, client) => checked(key(call, client));
  const parts = [key].flat();
  const readers = parts.map(readerOf);
  if (parts.length === 0)
    throw new TypeError(`A key needs at least one part, such as "client", but the list is empty.`);
  if (parts.includes("session") && !isPerClient(key)) {
    throw new RangeError(
      `A session is no key by itself, because a client can open as many as it likes: write ["client", "session"].`,
    );
  }
  if (parts.length === 1 && key.includes("client")) return (_call, client) => client;
  return (call, client) => readers.map((read, i) => partOf(parts[i]!, read(call, client))).join("/");
}

/** Whether each client has the limit by itself. */
export const isPerClient = (key: PolicyKey = "client"): boolean =>
  typeof key === "function" || [key].flat().some((part) => IDENTIFYING.has(part));

function readerOf(part: KeyPart): (call: McpCall, client: string) => unknown {
  const reader = typeof part === "string" && Object.hasOwn(READERS, part) ? READERS[part] : undefined;
  if (reader !== undefined) return reader;
  const [kind, name = ""] = String(part).split(/:(.*)/s);
  if (kind === "header" && name !== "") return ({ headers }) => headers?.get(name) ?? undefined;
  if (kind === "argument" && name !== "") return ({ params }) => valueAt(params.arguments, name);
  throw new TypeError(
    `A key has no part ${shown(part)}: it knows ${Object.keys(READERS).join(", ")}, header:NAME and argument:PATH.`,
  );
}

/** With its length in front, so that no two lists of parts give one key. */
function partOf(part: string, value: unknown): string {
  if (value === undefined || value === null) return `${part}:-`;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return `${part}:${text.length}:${text.slice(0, LONGEST_PART)}`;
}

/** What stands in an object under a path such as `filter.owner`. */
export function valueAt(given: unknown, path: string): unknown {
  let value = given;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function checked(key: unknown): string | undefined {
  if (key === undefined || (typeof key === "string" && key !== "")) return key;
  throw new TypeError(
    `A policy's key is a text that is not empty, or undefined, but it is ${shown(key)}: an empty key would make everybody share one limit.`,
  );
}
