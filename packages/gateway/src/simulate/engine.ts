import { type Decision, memoryStore } from "sluice";
import { type Admission, createMcpGate, type McpRateLimitOptions } from "sluice/mcp";
import { limitsOf } from "../config/limits-of.ts";
import type { Config } from "../config/schema.ts";
import type { LoggedCall } from "./logged-call.ts";
import { mcpCallOf, originOf, requestOf, resultOf } from "./requests.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** What limits say of a call. */
export interface Ruling extends Pick<Decision, "allowed" | "retryAfterMs"> {
  /** The quota that mattered most. Empty: the call fell under none. */
  readonly quota: string;
  /** How long it stood in line, in milliseconds. */
  readonly waitedMs?: number;
  /** What limits on trial say, where they refuse. */
  readonly onTrial?: Pick<Decision, "quota" | "retryAfterMs"> | undefined;
}

/** The limits of one policy file, at the time that a log tells of: the gate of the gateway, over memory, with another clock. */
export interface Engine {
  readonly clock: VirtualClock;
  /** Nothing happens between calls, and every decision comes at once. */
  readonly isPlain: boolean;
  /** Lets everything happen that is due by then: calls end, and those that stand in line pass. In microseconds. */
  moveTo(time: number): void | Promise<void>;
  /** At once, unless the call has to wait. */
  decide(call: LoggedCall): Ruling | Promise<Ruling>;
  /** Goes on until nobody waits any more. */
  drain(): Promise<void>;
  /** Keys that it knows, and decisions that were made without one because there were too many. */
  stats(): { readonly keys: number; readonly overflowed: number };
}

export interface EngineOptions {
  /** Limits on trial are in force. @default false */
  readonly enforce?: boolean;
  /** Keys that are remembered. @default those of the gateway */
  readonly maxKeys?: number;
}

/** Under no limit. */
const FREE: Ruling = { allowed: true, quota: "", retryAfterMs: 0 };

export function engineOf(config: Config, { enforce = false, maxKeys }: EngineOptions = {}): Engine {
  const clock = virtualClock();
  const store = memoryStore({ clock, ...(maxKeys !== undefined && { maxKeys }) });
  const table = new Map(Object.entries(config.tier?.clients ?? {}));
  const tierOf = (tier: string | undefined, client: string): string | undefined => tier ?? table.get(client);
  /** What limits on trial said of calls that are being decided, by their parameters. */
  const onTrial = new Map<object, Decision>();
  const options = limitsOf(enforce ? inForce(config) : config);
  const gate = createMcpGate({
    ...options,
    // A client comes again with a ticket by itself, and the log has that as a call.
    tickets: false,
    store,
    client: ({ connection }) => connection,
    tier: ({ authInfo }, client) => tierOf(authInfo?.extra?.tier as string | undefined, client),
    onDecision({ call, mode, decision }) {
      if (mode === "shadow" && !decision.allowed) onTrial.set(call.params, decision);
    },
  } satisfies McpRateLimitOptions);
  const decideAtOnce = gate.decide;
  let undecided = 0;

  /** Whether somebody has to say how the call ends. */
  const mustEnd = ({ holdsPlaces }: Admission): boolean => holdsPlaces || gate.watches === "everything";

  function decideFully(call: LoggedCall): Ruling | Promise<Ruling> {
    const request = requestOf(call);
    const origin = originOf(call);
    const admitted = gate.admit([request], origin);
    const decided = (admission: Admission): Ruling => {
      const { refusal, outcome } = admission;
      const trial = onTrial.get(request.params!);
      onTrial.delete(request.params!);
      const waitedMs = outcome?.waitedMs ?? 0;
      if (refusal !== undefined) {
        const { quota, retryAfterMs } = refusal.decision;
        return { allowed: false, quota, retryAfterMs, waitedMs };
      }
      if (mustEnd(admission)) endLater(call, () => end(admission));
      return { allowed: true, quota: outcome?.decision.quota ?? "", retryAfterMs: 0, waitedMs, onTrial: trial };
    };
    const end = (admission: Admission) => {
      if (call.outcome === "no_answer") gate.sawFailure(request);
      else if (call.outcome !== "unseen") gate.sawAnswer(request, origin, resultOf(call));
      admission.finish();
    };
    if (!("then" in admitted)) return decided(admitted);
    undecided++;
    return Promise.resolve(admitted)
      .then(decided)
      .finally(() => {
        undecided--;
      });
  }

  /** It takes as long as it took, without the time that it stood in line then. */
  function endLater({ durationMs = 0, waitedMs = 0 }: LoggedCall, end: () => void): void {
    const ms = Math.max(0, durationMs - waitedMs);
    if (ms === 0) end();
    else clock.after(ms, end);
  }

  async function fireUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      clock.fire();
      await settled();
    }
  }

  return {
    clock,
    isPlain: decideAtOnce !== undefined,
    moveTo(time) {
      if (clock.next() > time) return clock.moveTo(time);
      return fireUntil(() => clock.next() > time).then(() => clock.moveTo(time));
    },
    decide(call) {
      if (decideAtOnce === undefined) return decideFully(call);
      const { client } = call;
      return decideAtOnce(mcpCallOf(call), { client, tier: tierOf(call.tier, client) }) ?? FREE;
    },
    drain: () => fireUntil(() => undecided === 0 || clock.next() === Infinity),
    stats() {
      const { keys, overflowed } = store.stats();
      return { keys, overflowed };
    },
  };
}

/** The same limits, none of them on trial. */
function inForce({ mode: _, policies, ...config }: Config): Config {
  return { ...config, ...(policies && { policies: policies.map(({ mode: __, ...policy }) => policy) }) };
}

/** What follows from promises that are settled by now has happened. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
