import { systemClock } from "../../limiter/clock.ts";
import type { Store } from "../../limiter/store.ts";
import type { McpCall } from "../../policy/call.ts";

/** Legs of multi-round-trip calls that will be free, once each. */
export interface Continuations {
  /** A server asked this client for input: its next leg is free. */
  add(call: McpCall, client: string, result: { readonly requestState?: unknown }): void;
  /** Whether this call is such a leg. It is free only this time. */
  take(call: McpCall, client: string): boolean;
}

const MAX_LEGS = 10_000;
const MAX_STATE_LENGTH = 16_384;
/** A person may have to answer; in microseconds. */
const LIFETIME = 600_000_000;

/** Kept per store, because a gate may live no longer than a request. */
const legsOf = new WeakMap<Store, Map<string, number>>();

/**
 * Legs that were asked for and have not come yet. What the client sends (`requestState`) is only
 * looked up, never trusted: a leg is free because this process saw the server ask for it. Whatever
 * is forgotten (too many, too old, a state too long) is charged like any call.
 */
export function continuations(store: Store): Continuations {
  const clock = store.clock ?? systemClock;
  const legs = legsOf.get(store) ?? new Map<string, number>();
  legsOf.set(store, legs);

  return {
    add(call, client, { requestState }) {
      const key = keyOf(call, client, requestState);
      if (key === undefined) return;
      if (legs.size >= MAX_LEGS) legs.delete(legs.keys().next().value!);
      legs.set(key, clock.elapsed() + LIFETIME);
    },
    take(call, client) {
      const { requestState, inputResponses } = call.params;
      if (requestState === undefined && inputResponses === undefined) return false;
      const key = keyOf(call, client, requestState);
      const end = key === undefined ? undefined : legs.get(key);
      return end !== undefined && legs.delete(key!) && clock.elapsed() < end;
    },
  };
}

function keyOf({ method, params: { name, uri } }: McpCall, client: string, requestState: unknown): string | undefined {
  const key = JSON.stringify([client, method, name ?? uri ?? null, requestState ?? null]);
  return key.length > MAX_STATE_LENGTH ? undefined : key;
}
