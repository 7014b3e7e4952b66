import { Mode } from "../../algorithms/algorithm.ts";
import type { Refusal } from "../../answers/text.ts";
import { systemClock } from "../../limiter/clock.ts";
import { keepRenewing } from "../../limiter/concurrency-limiter.ts";
import { bindingOf, type Decision, decisionOf } from "../../limiter/decision.ts";
import { RateLimitError } from "../../limiter/errors.ts";
import type { Quota } from "../../limiter/quota.ts";
import { chain, guarded } from "../../limiter/reply.ts";
import { type Reservation, reserve, type Settlement } from "../../limiter/reservation.ts";
import type { Awaitable, Store } from "../../limiter/store.ts";
import { WaitingLine } from "../../limiter/waiting-line.ts";
import type { McpCall } from "../../policy/call.ts";
import type { Caller, Rule, RuleClaim } from "../../policy/rule.ts";
import { blockedBy } from "./blocked.ts";
import type { McpDecisionEvent } from "./options.ts";
import type { Watch } from "./waiting.ts";

/** A call that falls under limits. */
export interface Applied extends Caller {
  readonly call: McpCall;
  readonly rules: readonly Rule[];
}

/** What became of calls that asked to be admitted. */
export interface Admission {
  /** Why they were refused; `undefined` when they may go on. */
  readonly refusal?: Refusal;
  /** What listeners hear; `undefined` for calls without limits. */
  readonly outcome?: Pick<McpDecisionEvent, "decision" | "decisions" | "waitedMs">;
  /** The ticket that the call came with (`requestState`): it is ours, and the server must not see it. */
  readonly ticket?: string;
  /** One of the calls has this result, which says what it cost. Missing where no result does. */
  settle?(call: McpCall, result: unknown): void;
  /** Whether somebody must say when the calls have ended. */
  readonly holdsPlaces: boolean;
  /** The calls have ended: places go back. */
  finish(): void;
  /** Nobody knows when the calls end: places are held no longer than their lease. */
  abandon(): void;
  /** The calls never ran: everything goes back. */
  undo(): void;
}

const nothing = (): void => {};

type Outcome = NonNullable<Admission["outcome"]>;

/** What listeners hear of calls. */
export type Heard = Pick<Admission, "outcome" | "refusal">;

/** Calls without limits. */
export const free: Admission = { holdsPlaces: false, finish: nothing, abandon: nothing, undo: nothing };

/** Every claim is made anew for each attempt: a place has a new name each time. */
export const claimsOf = (list: readonly Applied[]): readonly RuleClaim[] =>
  list.flatMap((one) => one.rules.flatMap((rule) => rule.claims(one.call, one)));

/** Lines of calls that wait, shared by all gates over one store: a gate may live no longer than a request. */
const linesOf = new WeakMap<Store, Map<string, PolicyLine>>();

interface PolicyLine {
  readonly line: WaitingLine<Admission>;
  /** The name of the policy that refused the first who stands in it. */
  readonly policy: string;
}

const MAX_WAITING = 1000;

/**
 * Takes what calls need from the store, at once or after waiting in line.
 *
 * @param watch tells of those who wait, if somebody listens
 */
export function admissionsOver(store: Store, usualWaitMs: number, watch?: Watch) {
  const clock = store.clock ?? systemClock;
  const lines = linesOf.get(store) ?? new Map<string, PolicyLine>();
  linesOf.set(store, lines);

  function attempt(list: readonly Applied[]): Awaitable<Admission> {
    const blocked = blockedBy(list, clock);
    if (blocked !== undefined) return blocked;
    const claims = claimsOf(list);
    if (claims.length === 0) return free;
    return chain(reserve(store, claims), (reservation) => {
      const outcome = outcomeOf(claims, reservation.decisions);
      if (!reservation.decision.allowed) return { ...free, refusal: refusalOf(claims, reservation.decisions), outcome };
      return { outcome, ...placesOf(claims, reservation), ...settlementOf(claims, reservation) };
    });
  }

  /** What gives places back: all at once when the calls end, or nothing more than their lease. */
  function placesOf(claims: readonly RuleClaim[], reservation: Reservation): Omit<Admission, "refusal" | "outcome"> {
    const places = claims.filter(({ place }) => place !== undefined);
    const release = () => giveBack(() => reservation.release());
    if (places.length === 0) return { holdsPlaces: false, finish: nothing, abandon: nothing, undo: release };
    const demands = places.map(({ demand }) => demand);
    const renew = () => chain(store.take(demands), (taken) => taken.every(({ allowed }) => allowed)) as boolean;
    const cancel = keepRenewing({ renew }, Math.min(...places.map(({ place }) => place!.leaseMs)), clock);
    let isOpen = true;
    function stop(): boolean {
      if (!isOpen) return false;
      isOpen = false;
      cancel();
      return true;
    }
    const finish = () => {
      if (!stop()) return;
      const back = demands.map((demand) => ({ ...demand, cost: -demand.cost }));
      giveBack(() => chain(store.take(back, { mode: Mode.force }), () => undefined));
    };
    const undo = () => {
      stop();
      release();
    };
    return { holdsPlaces: true, finish, abandon: stop, undo };
  }

  function settlementOf(claims: readonly RuleClaim[], reservation: Settlement): Pick<Admission, "settle"> {
    if (claims.every(({ settled }) => settled === undefined)) return {};
    return {
      settle: (call, result) =>
        giveBack(() =>
          reservation.settle((i) => {
            const { settled } = claims[i]!;
            return settled?.call === call ? wholeCost(settled.costOf(result)) : undefined;
          }),
        ),
    };
  }

  /** A store that fails keeps what it holds until that flows back or its lease ends; the call is over all the same. */
  function giveBack(action: () => Awaitable<void>): void {
    guarded(
      () => chain(action(), wakeLines),
      () => {},
    );
  }

  /** Places have come back: those who wait for one ask again. */
  function wakeLines(): void {
    for (const [key, { line }] of lines) if (key.startsWith("places/")) line.wake();
  }

  const needsPlaces = (list: readonly Applied[]): boolean =>
    list.some(({ rules }) => rules.some(({ holdsPlaces }) => holdsPlaces));

  /** Calls that ask the same of the same accounts stand in one line. */
  function lineKeyOf(list: readonly Applied[]): string {
    const account = claimsOf(list).map(({ demand: { ledger, key, cost } }) => [ledger.space, key, cost]);
    return `${needsPlaces(list) ? "places" : "rates"}/${JSON.stringify(account)}`;
  }

  function newLine(list: readonly Applied[], key: string, policy: string): PolicyLine {
    const claims = claimsOf(list);
    const line = new WaitingLine<Admission>({
      clock,
      maxWaiting: MAX_WAITING,
      isExact: !needsPlaces(list),
      onEmpty: () => lines.delete(key),
      attempt: () => chain(attempt(list), (value) => ({ decision: value.outcome!.decision, value, undo: value.undo })),
      foresee: (_cost, ahead) => foresee(claims, ahead.length),
    });
    const entry = { line, policy };
    lines.set(key, entry);
    return entry;
  }

  /** When calls like these pass behind `ahead` others of their kind. */
  function foresee(claims: readonly RuleClaim[], ahead: number): Awaitable<Decision> {
    const demands = claims.map(({ demand }) => demand);
    const cost = Math.max(...demands.map((demand) => demand.cost));
    const taken = store.take(demands, { mode: Mode.peek, ahead: new Array<number>(ahead).fill(cost) });
    return chain(taken, (answers) => bindingOf(answers.map((one, i) => decisionOf(claims[i]!.quota, one))));
  }

  async function waitInLine(
    list: readonly Applied[],
    { line }: PolicyLine,
    maxWaitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Admission> {
    const since = clock.elapsed();
    try {
      const admission = await line.join({ maxWaitMs, signal });
      return { ...admission, outcome: { ...admission.outcome!, waitedMs: (clock.elapsed() - since) / 1000 } };
    } catch (error) {
      if (!(error instanceof RateLimitError)) throw error;
      return refusedWith(claimsOf(list), error.decision, (clock.elapsed() - since) / 1000);
    }
  }

  function waited(...waiting: Parameters<typeof waitInLine>): Promise<Admission> {
    const [calls, { policy }, , signal] = waiting;
    if (watch === undefined) return waitInLine(...waiting);
    return watch({ calls, reason: "limit", policy, signal }, () => waitInLine(...waiting), stateOf);
  }

  /** Calls wait together, so not longer than the rule allows that allows least. */
  const maxWaitOf = (list: readonly Applied[]): number =>
    Math.min(...list.flatMap(({ rules }) => rules.map(({ maxWaitMs = usualWaitMs }) => maxWaitMs)));

  /** Whether it makes sense to stand in line after this refusal. */
  const mayWait = (list: readonly Applied[], maxWaitMs: number, { decision, isBlock }: Refusal): boolean =>
    isBlock !== true && isWorthWaiting(list, maxWaitMs, decision);

  const isWorthWaiting = (list: readonly Applied[], maxWaitMs: number, { retryAfterMs }: Decision): boolean =>
    retryAfterMs <= maxWaitMs || (needsPlaces(list) && retryAfterMs !== Infinity);

  return {
    /** Asks once, and never waits. */
    attempt,
    /** Whether calls that are refused so stand in line first. */
    waits(list: readonly Applied[], refusal: Refusal): boolean {
      const maxWaitMs = maxWaitOf(list);
      return maxWaitMs > 0 && mayWait(list, maxWaitMs, refusal);
    },
    /** At once where the store answers at once, unless the calls have to wait. */
    admit(list: readonly Applied[], signal?: AbortSignal): Awaitable<Admission> {
      const maxWaitMs = maxWaitOf(list);
      if (maxWaitMs === 0) return attempt(list);
      const key = lineKeyOf(list);
      const line = lines.get(key);
      if (line !== undefined) return waited(list, line, maxWaitMs, signal);
      return chain(attempt(list), (admission) => {
        const { refusal } = admission;
        if (refusal === undefined || !mayWait(list, maxWaitMs, refusal)) return admission;
        // Another call may have begun the line while the store was asked.
        return waited(list, lines.get(key) ?? newLine(list, key, policyOf(admission)), maxWaitMs, signal);
      });
    },
  };
}

/** The name of the policy that refuses. */
export const policyOf = ({ refusal, outcome }: Heard): string =>
  outcome!.decisions.find(({ decision }) => decision === refusal!.decision)!.policy;

const stateOf = ({ refusal }: Admission) => (refusal === undefined ? "admitted" : "refused");

/** What a function gave that is no cost changes nothing. */
const wholeCost = (cost: number | undefined): number | undefined =>
  cost !== undefined && cost >= 0 && Number.isSafeInteger(Math.ceil(cost)) ? Math.ceil(cost) : undefined;

function outcomeOf(claims: readonly RuleClaim[], decisions: readonly Decision[]): Outcome {
  return {
    decision: bindingOf(decisions),
    decisions: claims.map(({ rule, quota, demand: { key, cost } }, i) => {
      return { policy: rule.name, quota, decision: decisions[i]!, key, cost };
    }),
    waitedMs: 0,
  };
}

export function refusalOf(claims: readonly RuleClaim[], decisions: readonly Decision[]): Refusal {
  const decision = bindingOf(decisions);
  const { rule, quota } = claims[decisions.indexOf(decision)]!;
  return refusalBy(rule, quota, decision);
}

const refusalBy = ({ subject, per, advice }: Rule, quota: Quota, decision: Decision): Refusal => ({
  subject,
  per,
  quota,
  decision,
  ...(advice !== undefined && { advice }),
});

/** The line refused: its decision names the quota. */
function refusedWith(claims: readonly RuleClaim[], decision: Decision, waitedMs: number): Admission {
  const { rule, quota, demand } = claims.find((claim) => claim.quota.name === decision.quota)!;
  const { key, cost } = demand;
  return {
    ...free,
    refusal: refusalBy(rule, quota, decision),
    outcome: { decision, decisions: [{ policy: rule.name, quota, decision, key, cost }], waitedMs },
  };
}
