import { shown } from "../algorithms/numbers.ts";
import { chain } from "../limiter/reply.ts";
import type { Awaitable } from "../limiter/store.ts";
import type { McpCall } from "./call.ts";

/**
 * The tier of a caller: `{ claim: "plan" }` reads it from the verified token (`authInfo.extra.plan`), `{ clients: … }` from a
 * table of clients, a function from wherever you keep it. `undefined`: none, so the quotas of `"*"` apply.
 */
export type TierOf =
  | { readonly claim: string }
  | { readonly clients: Readonly<Record<string, string>> }
  | ((call: McpCall, client: string) => string | undefined | PromiseLike<string | undefined>);

/** @throws TypeError for anything else. */
export function tierReader(tier: TierOf | undefined): (call: McpCall, client: string) => Awaitable<string | undefined> {
  if (tier === undefined) return () => undefined;
  if (typeof tier === "function") return (call, client) => chain(tier(call, client), checked);
  const { claim, clients } = (tier ?? {}) as { readonly claim?: unknown; readonly clients?: unknown };
  if (typeof claim === "string") {
    return ({ authInfo }) => {
      const value = authInfo?.extra?.[claim];
      return typeof value === "string" ? value : undefined;
    };
  }
  if (typeof clients === "object" && clients !== null) {
    const table = new Map<string, string>(Object.entries(clients));
    return (_call, client) => table.get(client);
  }
  throw new TypeError(`tier is { claim: "plan" }, { clients: { … } } or a function, but it is ${shown(tier)}.`);
}

function checked(tier: unknown): string | undefined {
  if (tier === undefined || typeof tier === "string") return tier;
  throw new TypeError(`\`tier\` must return the name of a tier or undefined, but it returned ${shown(tier)}.`);
}
