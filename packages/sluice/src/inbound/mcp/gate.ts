import { refusalError, refusedToolResult } from "../../answers/mcp.ts";
import { type Refusal, refusalText } from "../../answers/text.ts";
import { systemClock } from "../../limiter/clock.ts";
import type { Decision } from "../../limiter/decision.ts";
import { isolated } from "../../limiter/events.ts";
import { chain, guarded } from "../../limiter/reply.ts";
import { type Awaitable, isSync, type Store } from "../../limiter/store.ts";
import type { McpCall } from "../../policy/call.ts";
import { NEVER_BLOCKED } from "../../policy/never-block.ts";
import type { Caller, Rule } from "../../policy/rule.ts";
import { ruleIndex } from "../../policy/rule-index.ts";
import { tierReader } from "../../policy/tier.ts";
import { maxWaitOf } from "../../policy/wait.ts";
import { type MemoryStore, memoryStore } from "../../stores/memory/memory.ts";
import { type Admission, type Applied, admissionsOver, free, type Heard } from "./admission.ts";
import { callOf, isRequest, type Origin } from "./call.ts";
import { continuations } from "./continuations.ts";
import { decidesAtOnce, isDecidedAtOnce } from "./decide-at-once.ts";
import { type ExplainedLimit, type Explanation, explain, type ForgottenLimit, forget } from "./explain.ts";
import { followed } from "./follow.ts";
import { clientOf } from "./identity.ts";
import { rulesOf } from "./limits.ts";
import { loopGuarded } from "./loop-guard.ts";
import { errorCodeOf, type McpRateLimitOptions } from "./options.ts";
import { resultsOf } from "./results.ts";
import { inMode, ruleByRule, withShadow } from "./shadow.ts";
import type { JsonRpcRequest } from "./types.ts";
import { watchOf } from "./waiting.ts";
import { withWaitingRounds } from "./waiting-rounds.ts";

/** Decides about the requests of clients, before the server sees them. */
export interface McpGate {
  /**
   * Decide about all requests of one delivery together: all are admitted, or none. At once over a
   * store in memory, unless they wait.
   *
   * @param signal drops them from the line when it aborts.
   */
  admit(requests: readonly JsonRpcRequest[], origin: Origin, signal?: AbortSignal): Awaitable<Admission>;
  /** The JSON-RPC response that refuses a request. */
  refuse(request: JsonRpcRequest, refusal: Refusal): object;
  /** The server has answered a request, with a result or an error. */
  sawAnswer(request: JsonRpcRequest, origin: Origin, result: unknown): void;
  /** The server did not answer a request, or answered that it needs rest, for so long (`Retry-After`, in milliseconds). */
  sawFailure(request: JsonRpcRequest, retryAfterMs?: number): void;
  /** What a request falls under, and what each limit says about it. Nothing is taken. */
  explain(request: JsonRpcRequest, origin: Origin): Awaitable<Explanation>;
  /** Forget what calls like this one were charged: all limits that it falls under are as good as new. */
  forget(request: JsonRpcRequest, origin: Origin): Awaitable<readonly ForgottenLimit[]>;
  /**
   * Decide about one call at once, with nothing around it: for whoever decides about millions, such as a replay. `undefined`: it falls
   * under no limit. Missing where more than that may happen: over a store that does not answer at once, with overrides, and where calls
   * wait, hold places, settle later, repeat themselves or are on trial.
   */
  readonly decide?: (call: McpCall, caller: Caller) => Decision | undefined;
  /** All limits that there are, whether a call has met them or not. */
  readonly limits: readonly KnownLimit[];
  /** Whether calls may stand in line, and so can be given up while they do. */
  readonly waits: boolean;
  /** Which answers it wants to see: none, those that ask the client for input (`input_required`), or all. */
  readonly watches: "nothing" | "rounds" | "everything";
}

/** A limit of a gate. */
export type KnownLimit = Pick<ExplainedLimit, "policy" | "subject" | "mode" | "per" | "quota">;

/** One store for all servers of the process that name none: a new server for each request still has one limit. */
let processStore: MemoryStore | undefined;

function storeOf(store: Store | undefined): Store {
  if (store !== undefined) return store;
  processStore ??= memoryStore();
  return processStore;
}

/** @throws RangeError, TypeError for options that cannot be. */
export function createMcpGate(options: McpRateLimitOptions): McpGate {
  const { client = clientOf, name = "mcp", refusal: form = "result", describe = refusalText, mrtr = "every" } = options;
  const store = storeOf(options.store);
  const onAdapt = options.onAdapt && isolated("onAdapt", options.onAdapt);
  const rules = rulesOf(options, store, name, { ...options, ...(onAdapt && { onAdapt }) });
  const rulesFor = ruleIndex(rules);
  const hasTrials = rules.some(({ mode }) => mode === "shadow");
  const usualWaitMs = maxWaitOf(options.wait);
  const tierOf = tierReader(options.tier);
  const code = errorCodeOf(options.errorCode);
  const clock = store.clock ?? systemClock;
  const announce = options.onDecision && isolated("onDecision", options.onDecision);
  const watch = options.onWaiting && watchOf(clock, isolated("onWaiting", options.onWaiting));
  const admissions = admissionsOver(store, usualWaitMs, watch);
  const legs = mrtr === "once" ? continuations(store) : undefined;

  /** The calls that fall under limits, each with the key of its client. */
  function applied(calls: readonly McpCall[]): Awaitable<readonly Applied[]> {
    let found: Awaitable<Applied[]> = [];
    for (const call of calls) {
      const matching = NEVER_BLOCKED.has(call.method) ? [] : rulesFor(call);
      if (matching.length === 0) continue;
      found = chain(found, (list) =>
        chain(client(call), (key) => {
          if (key === undefined || legs?.take(call, key)) return list;
          return chain(tierOf(call, checkedKey(key)), (tier) => {
            list.push({ call, client: key, tier, rules: matching });
            return list;
          });
        }),
      );
    }
    return found;
  }

  /** When somebody asked; nobody reads the clock for nobody. */
  const asked = (): number => (announce === undefined && results === undefined ? 0 : clock.elapsed());

  function tell(list: readonly Applied[], mode: Rule["mode"], { outcome, refusal }: Heard, since: number): void {
    if (announce === undefined || outcome === undefined) return;
    const tookMs = Math.max(0, (clock.elapsed() - since) / 1000 - outcome.waitedMs);
    for (const { call, client: key, tier } of list)
      announce({ call, client: key, tier, mode, ...outcome, tookMs, refusal });
  }

  /** Asks what limits on trial say, beside an admission: each by itself, or all together where none is in force. */
  function tried(list: readonly Applied[], admission: Admission): Admission {
    const trials = options.mode === "shadow" ? [list] : ruleByRule(list);
    return trials.reduce((whole, trial) => {
      const since = asked();
      return withShadow(
        whole,
        () => admissions.attempt(trial),
        (heard) => tell(trial, "shadow", heard, since),
      );
    }, admission);
  }

  const onResult = options.onResult && isolated("onResult", options.onResult);
  const results = resultsOf({ rules, clock, onResult });

  const isPlain = usualWaitMs === 0 && rules.every((rule) => isDecidedAtOnce(rule) && !rule.maxWaitMs);
  const gate: McpGate = {
    ...(isPlain && isSync(store) && options.overrides === undefined && { decide: decidesAtOnce(store, rulesFor) }),
    waits: rules.some(({ maxWaitMs = usualWaitMs }) => maxWaitMs > 0),
    limits: rules.flatMap(({ name: policy, subject, mode, per, quotas }) =>
      quotas.map((quota) => ({ policy, subject, mode, per, quota })),
    ),
    watches: results !== undefined ? "everything" : legs === undefined ? "nothing" : "rounds",

    admit(requests, origin, signal) {
      const calls = requests.map((request) => callOf(request, origin));
      const since = asked();
      return chain(applied(calls), (list) => {
        if (list.length === 0) return free;
        const enforced = hasTrials ? inMode(list, "enforce") : list;
        return chain(enforced.length === 0 ? free : admissions.admit(enforced, signal), (admission) => {
          tell(enforced, "enforce", admission, since);
          const onTrial = hasTrials ? inMode(list, "shadow") : [];
          if (admission.refusal !== undefined) return admission;
          const whole = onTrial.length === 0 ? admission : tried(onTrial, admission);
          return results === undefined ? whole : results.expect(requests, calls, { list, admission: whole, since });
        });
      });
    },

    explain: (request, origin) =>
      chain(applied([callOf(request, origin)]), ([one]) =>
        explain({ store, areTriedTogether: options.mode === "shadow", waits: admissions.waits }, one),
      ),

    forget: (request, origin) => chain(applied([callOf(request, origin)]), ([one]) => forget(store, one)),

    refuse(request, refusal) {
      const text = describe === refusalText ? refusalText(refusal) : describe(refusal, callOf(request, {}));
      const answer =
        request.method === "tools/call" && form === "result"
          ? { result: refusedToolResult(refusal, text) }
          : { error: refusalError(refusal, code, text) };
      return { jsonrpc: "2.0", id: request.id, ...answer };
    },

    sawFailure: (request, retryAfterMs) => results?.failed(request, retryAfterMs),

    sawAnswer(request, origin, result) {
      results?.saw(request, result);
      if (legs === undefined || (result as { resultType?: unknown } | undefined)?.resultType !== "input_required")
        return;
      const call = callOf(request, origin);
      // Where the client cannot be told, the next leg is charged like any call, and says what is wrong.
      guarded(
        () =>
          chain(client(call), (key) => {
            if (key !== undefined) legs.add(call, key, result as { requestState?: unknown });
          }),
        () => {},
      );
    },
  };
  const { loops = false, tickets = false } = options;
  const inRounds = tickets === false ? gate : withWaitingRounds(gate, { tickets, client, clock, watch });
  const whole = loops === false ? inRounds : loopGuarded(inRounds, { loops, client, clock, announce, watch });
  const onCall = options.onCall && isolated("onCall", options.onCall);
  return onCall === undefined ? whole : followed(whole, { onCall, client, tierOf, clock });
}

/** What could not be decided is not let through: the answer says that the limiter failed, not that there is a limit. */
export function failed(request: JsonRpcRequest): object {
  const message = "The rate limiter of this server failed, so the request was not run. It may work later.";
  return { jsonrpc: "2.0", id: request.id, error: { code: -32_603, message } };
}

/** The requests among the messages of one delivery. */
export const requestsIn = (messages: readonly unknown[]): readonly JsonRpcRequest[] => messages.filter(isRequest);

function checkedKey(key: unknown): string {
  if (typeof key === "string" && key !== "") return key;
  throw new TypeError(
    "`client` must return a text that is not empty, or undefined: an empty key would make everybody share one limit.",
  );
}
