import type { Clock } from "../../limiter/clock.ts";
import { chain } from "../../limiter/reply.ts";
import type { McpCall } from "../../policy/call.ts";
import { callOf, type Origin } from "./call.ts";
import type { ClientOf } from "./identity.ts";
import type { JsonRpcRequest } from "./types.ts";

/** A call begins to wait, or waits no longer. Each beginning has one end. */
export interface McpWaitingEvent {
  readonly call: McpCall;
  /** The key of the client. */
  readonly client: string;
  readonly tier?: string | undefined;
  /** It stands in line for a limit; it is slowed down because of a loop; it is held until its next round (`tickets`). */
  readonly reason: "limit" | "loop" | "round";
  /** The name of the policy or limit that it waits for; of a loop `"loop"`. */
  readonly policy: string;
  /**
   * `"waiting"`: it begins. All others end it: it was let through or refused; it is decided about now (`"resumed"`, after a loop or a
   * round); the client gave up; the store failed.
   */
  readonly state: "waiting" | "admitted" | "refused" | "resumed" | "cancelled" | "failed";
  /** So far: 0 at the beginning. In milliseconds. */
  readonly waitedMs: number;
}

/** Who waits, and what for. */
export interface Waiters extends Pick<McpWaitingEvent, "reason" | "policy"> {
  readonly calls: readonly Pick<McpWaitingEvent, "call" | "client" | "tier">[];
  readonly signal: AbortSignal | undefined;
}

/** Tells of a wait, when it begins and when it has ended. */
export type Watch = <T>(
  waiters: Waiters,
  wait: () => Promise<T>,
  stateOf: (value: T) => McpWaitingEvent["state"],
) => Promise<T>;

/** @param tell must not throw */
export function watchOf(clock: Clock, tell: (event: McpWaitingEvent) => void): Watch {
  return async ({ calls, reason, policy, signal }, wait, stateOf) => {
    const since = clock.elapsed();
    const say = (state: McpWaitingEvent["state"], waitedMs: number) => {
      for (const { call, client, tier } of calls) tell({ call, client, tier, reason, policy, state, waitedMs });
    };
    const end = (state: McpWaitingEvent["state"]) => say(state, (clock.elapsed() - since) / 1000);
    say("waiting", 0);
    try {
      const value = await wait();
      end(stateOf(value));
      return value;
    } catch (error) {
      end(signal?.aborted ? "cancelled" : "failed");
      throw error;
    }
  };
}

export interface PauseWatch {
  readonly watch: Watch | undefined;
  readonly client: ClientOf;
}

/** A pause of requests, told to who listens. */
export async function watchedPause(
  { watch, client }: PauseWatch,
  {
    requests,
    origin,
    ...about
  }: Omit<Waiters, "calls"> & {
    readonly requests: readonly JsonRpcRequest[];
    readonly origin: Origin;
  },
  wait: () => Promise<void>,
): Promise<void> {
  if (watch === undefined) return wait();
  const calls = await Promise.all(
    requests.map((request) => {
      const call = callOf(request, origin);
      return chain(client(call), (key) => ({ call, client: key ?? "" }));
    }),
  );
  return watch({ ...about, calls }, wait, () => "resumed");
}
