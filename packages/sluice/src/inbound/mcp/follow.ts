import type { Clock } from "../../limiter/clock.ts";
import type { Decision } from "../../limiter/decision.ts";
import { isolated } from "../../limiter/events.ts";
import { chain, guarded } from "../../limiter/reply.ts";
import type { Awaitable } from "../../limiter/store.ts";
import type { McpCall } from "../../policy/call.ts";
import { NEVER_BLOCKED } from "../../policy/never-block.ts";
import { callOf, type Origin } from "./call.ts";
import type { McpGate } from "./gate.ts";
import type { ClientOf } from "./identity.ts";
import type { QuotaDecision } from "./options.ts";
import { type McpResultEvent, resultKind } from "./results.ts";
import type { JsonRpcRequest } from "./types.ts";

/** A call that has come in, whether it falls under limits or not. */
export interface McpCallEvent {
  readonly call: McpCall;
  /** The key of the client; `undefined`: it is let through uncharged. */
  readonly client: string | undefined;
  readonly tier?: string | undefined;
}

/** What became of a call before the server got it. */
export interface McpCallRuling {
  readonly allowed: boolean;
  /** What the limits said; `undefined`: it fell under none. */
  readonly decision?: Decision | undefined;
  readonly decisions: readonly QuotaDecision[];
  /** How long it stood in line first, in milliseconds. */
  readonly waitedMs: number;
}

/** What came of a call that the server got. */
export interface McpCallEnd extends Pick<McpResultEvent, "durationMs" | "outcome" | "errorCode"> {
  /** The result, or the error; `undefined` when there was no answer. */
  readonly result?: unknown;
}

/** Hears of one call, from its coming to its end. */
export interface McpCallFollower {
  /** It was let through, or refused: then this is the end. */
  decided?(ruling: McpCallRuling): void;
  /** The server has answered, or will not, or the call has ended unseen. */
  ended?(end: McpCallEnd): void;
}

export interface FollowOptions {
  readonly onCall: (event: McpCallEvent) => McpCallFollower | undefined;
  readonly client: ClientOf;
  readonly tierOf: (call: McpCall, client: string) => Awaitable<string | undefined>;
  readonly clock: Clock;
}

interface Running {
  readonly follower: Awaitable<McpCallFollower | undefined>;
  /** When it came. */
  readonly since: number;
}

const nothing = (): void => {};

/** The same gate, which also tells of every call that may be refused when it comes, and then what becomes of it. */
export function followed(gate: McpGate, { onCall, client, tierOf, clock }: FollowOptions): McpGate {
  const running = new WeakMap<JsonRpcRequest, Running>();

  function follow(call: McpCall): Awaitable<McpCallFollower | undefined> {
    try {
      return chain(client(call), (key) =>
        key === undefined
          ? onCall({ call, client: key })
          : chain(tierOf(call, key), (tier) => onCall({ call, client: key, tier })),
      );
    } catch {
      // The gate itself says what is wrong with the client or its tier.
      return undefined;
    }
  }

  const say = isolated(
    "a follower of onCall",
    (one: McpCallFollower | undefined, what: (one: McpCallFollower) => void) => {
      if (one !== undefined) what(one);
    },
  );
  const tell = (follower: Running["follower"], what: (one: McpCallFollower) => void): void =>
    guarded(() => chain(follower, (one) => say(one, what)), nothing);

  function ended(request: JsonRpcRequest, end: Omit<McpCallEnd, "durationMs">): void {
    const known = running.get(request);
    if (known === undefined) return;
    running.delete(request);
    const durationMs = (clock.elapsed() - known.since) / 1000;
    tell(known.follower, (one) => one.ended?.({ ...end, durationMs }));
  }

  const { decide: _, ...rest } = gate;
  return {
    ...rest,
    watches: "everything",

    admit(requests, origin: Origin, signal) {
      const since = clock.elapsed();
      const calls = requests
        .filter(({ method }) => !NEVER_BLOCKED.has(method))
        .map((request) => ({ request, follower: follow(callOf(request, origin)) }));
      return chain(gate.admit(requests, origin, signal), (admission) => {
        const { refusal, outcome } = admission;
        const ruling: McpCallRuling = {
          allowed: refusal === undefined,
          decision: outcome?.decision,
          decisions: outcome?.decisions ?? [],
          waitedMs: outcome?.waitedMs ?? 0,
        };
        for (const { request, follower } of calls) {
          tell(follower, (one) => one.decided?.(ruling));
          if (ruling.allowed) running.set(request, { follower, since });
        }
        if (!ruling.allowed) return admission;
        const ends = (verb: "finish" | "abandon" | "undo") => () => {
          for (const { request } of calls) ended(request, { outcome: "unseen" });
          admission[verb]();
        };
        return { ...admission, finish: ends("finish"), abandon: ends("abandon"), undo: ends("undo") };
      });
    },

    sawAnswer(request, origin, result) {
      ended(request, { ...resultKind(result), result });
      gate.sawAnswer(request, origin, result);
    },

    sawFailure(request, retryAfterMs) {
      ended(request, { outcome: "no_answer" });
      gate.sawFailure(request, retryAfterMs);
    },
  };
}
