import type { Refusal } from "../../answers/text.ts";
import type { Clock } from "../../limiter/clock.ts";
import type { Decision } from "../../limiter/decision.ts";
import { perPeriod } from "../../limiter/quota.ts";
import { chain, guarded } from "../../limiter/reply.ts";
import type { Awaitable } from "../../limiter/store.ts";
import { type Admission, free } from "./admission.ts";
import { callOf, type Origin } from "./call.ts";
import type { McpGate } from "./gate.ts";
import type { ClientOf } from "./identity.ts";
import { loopMemory } from "./loop-memory.ts";
import { type LoopOptions, loopSettings } from "./loop-options.ts";
import type { McpDecisionEvent } from "./options.ts";
import { pause } from "./pause.ts";
import { fingerprintOf, withoutMeta } from "./same.ts";
import type { JsonRpcRequest } from "./types.ts";
import { type Watch, watchedPause } from "./waiting.ts";

export interface LoopGuardOptions {
  readonly loops: true | LoopOptions;
  readonly client: ClientOf;
  readonly clock: Clock;
  readonly announce: ((event: McpDecisionEvent) => void) | undefined;
  readonly watch: Watch | undefined;
}

/**
 * The same gate, which also notices when a client makes the same call again and again and gets the same answer: it warns
 * once, then slows down, then stops. It remembers that in this process, because only here the answers are seen.
 */
export function loopGuarded(gate: McpGate, { loops, client, clock, announce, watch }: LoopGuardOptions): McpGate {
  const settings = loopSettings(loops);
  const memory = loopMemory(settings, clock);
  const quota = perPeriod(settings.stopAfter, settings.forgetMs, { name: "loop" });
  /** What calls are remembered as; made once for each. */
  const names = new WeakMap<JsonRpcRequest, string>();

  /** `undefined`: the call is not looked at. */
  function nameOf(request: JsonRpcRequest, origin: Origin): Awaitable<string | undefined> {
    const call = callOf(request, origin);
    const { tool } = call;
    if (tool === undefined || settings.isAllowed(tool)) return undefined;
    return chain(client(call), (key) => {
      if (key === undefined) return undefined;
      const name = `${key.length}/${key}/${tool.length}/${tool}/${fingerprintOf(call.params.arguments)}`;
      names.set(request, name);
      return name;
    });
  }

  function refusalOf(
    request: JsonRpcRequest,
    origin: Origin,
    times: number,
    retryAfterMs: number | undefined,
  ): Admission {
    const { tool = "" } = callOf(request, origin);
    const decision: Decision = {
      allowed: false,
      quota: quota.name,
      limit: settings.stopAfter,
      remaining: 0,
      retryAfterMs: retryAfterMs ?? 0,
      resetAfterMs: settings.forgetMs,
      degraded: false,
    };
    const loop = { tool, times, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    const refusal: Refusal = { subject: `the tool "${tool}"`, per: "client", quota, decision, loop };
    return {
      ...free,
      refusal,
      outcome: { decision, decisions: [{ policy: quota.name, quota, decision, key: tool, cost: 1 }], waitedMs: 0 },
    };
  }

  /** A refusal, or how long the calls have to wait. */
  function judge(requests: readonly JsonRpcRequest[], origin: Origin): Awaitable<Admission | number> {
    let found = 0 as Awaitable<Admission | number>;
    for (const request of requests) {
      found = chain(found, (before) => (typeof before === "number" ? judgeOne(request, origin, before) : before));
    }
    return found;
  }

  function judgeOne(request: JsonRpcRequest, origin: Origin, delayMs: number): Awaitable<Admission | number> {
    const since = announce === undefined ? 0 : clock.elapsed();
    return chain(nameOf(request, origin), (name): Admission | number => {
      if (name === undefined) return delayMs;
      const verdict = memory.ask(name);
      if (verdict.kind === "run") return Math.max(delayMs, verdict.delayMs);
      const retryAfterMs = verdict.kind === "stop" ? verdict.retryAfterMs : undefined;
      const admission = refusalOf(request, origin, verdict.times, retryAfterMs);
      tell(request, origin, admission, since);
      return admission;
    });
  }

  function tell(request: JsonRpcRequest, origin: Origin, { outcome, refusal }: Admission, since: number): void {
    if (announce === undefined) return;
    const tookMs = (clock.elapsed() - since) / 1000;
    const call = callOf(request, origin);
    guarded(
      () =>
        chain(client(call), (key) =>
          announce({ call, client: key ?? "", mode: "enforce", ...outcome!, tookMs, refusal }),
        ),
      () => {},
    );
  }

  const { decide: _, ...rest } = gate;
  return {
    ...rest,
    waits: true,
    watches: "everything",

    admit: (requests, origin, signal) =>
      chain(judge(requests, origin), (found) => {
        if (typeof found !== "number") return found;
        if (found === 0) return gate.admit(requests, origin, signal);
        const waiters = { requests, origin, reason: "loop", policy: quota.name, signal } as const;
        const slowed = watchedPause({ watch, client }, waiters, () => pause(clock, found, signal));
        return slowed.then(() => gate.admit(requests, origin, signal));
      }),

    sawAnswer(request, origin, result) {
      const name = names.get(request);
      if (name !== undefined) memory.note(name, fingerprintOf(withoutMeta(result)));
      gate.sawAnswer(request, origin, result);
    },
  };
}
