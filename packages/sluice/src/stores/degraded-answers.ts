import { Mode } from "../algorithms/algorithm.ts";
import { shown } from "../algorithms/numbers.ts";
import type { Clock } from "../limiter/clock.ts";
import type { Account, Demand, Store, Taken, TakeOptions } from "../limiter/store.ts";
import type { HeldPlaces } from "./held-places.ts";
import { type LocalDecisions, type LocalShare, localDecisions, NOTHING_TAKEN, type Outage } from "./local-share.ts";

/** What to answer while the store cannot: refuse, allow, or decide with a share of the limit. */
export type FallbackPolicy = "closed" | "open" | LocalShare;

/** How a decision without the store came about. `closed` is also what cannot be shared gets. */
export type Degradation = "closed" | "open" | "localShare";

/** When to ask again, unless the error knows better. */
const RETRY_MS = 1_000;

/** Answers in the place of a store that fails. */
export interface DegradedAnswers {
  answer(demands: readonly Demand[], options: TakeOptions, error: unknown): DegradedAnswer;
  /** Hand back what was taken here. */
  giveBack(demands: readonly Demand[]): void;
  forget(accounts: readonly Account[]): void;
  /** Whether the store does not know yet what was used here. */
  readonly isBehind: boolean;
  /** Tell the store. @throws what it throws */
  catchUp(store: Store): Promise<void>;
  /** Units that it was not told of. */
  readonly unreported: number;
}

interface DegradedAnswer {
  readonly by: Degradation;
  readonly taken: readonly Taken[];
}

/** @throws TypeError for a policy that there is not: at once, or with the first answer. */
export function degradedAnswers(
  policy: FallbackPolicy | ((account: Account) => FallbackPolicy),
  places: HeldPlaces,
  clock: Clock,
): DegradedAnswers {
  const shares = new Map<string, LocalDecisions>();
  const policyOf = typeof policy === "function" ? (demand: Demand) => checked(policy(demand)) : always(checked(policy));

  /** What decides by a share, for all policies with the same. */
  function localOf({ processes, maxKeys }: LocalShare): LocalDecisions {
    const name = `${processes}/${maxKeys}`;
    const local = shares.get(name) ?? localDecisions({ processes, maxKeys }, clock);
    shares.set(name, local);
    return local;
  }

  /** Asks for what falls under one policy; of a share, only where everything may be taken, or nothing is. */
  function partAnswer(
    policy: FallbackPolicy,
    demands: readonly Demand[],
    options: TakeOptions,
    outage: Outage,
  ): DegradedAnswer {
    if (policy === "open") return { by: "open", taken: demands.map(letThrough) };
    const taken = policy === "closed" ? undefined : localOf(policy).take(demands, options, outage);
    if (taken !== undefined) return { by: "localShare", taken };
    const isFree = (demand: Demand) => options.mode === Mode.force || demand.cost < 0 || places.has(demand);
    const answer = demands.every(isFree) ? letThrough : (demand: Demand) => refused(demand, outage.retryAfterMs);
    return { by: "closed", taken: demands.map(answer) };
  }

  function answer(demands: readonly Demand[], options: TakeOptions, error: unknown): DegradedAnswer {
    const outage: Outage = { error, retryAfterMs: retryAfterOf(error), isHeld: places.has };
    const parts = partsOf(demands, policyOf);
    if (parts.length === 0) return { by: "closed", taken: [] };
    if (parts.length === 1) return partAnswer(parts[0]!.policy, demands, options, outage);
    // All or nothing holds across policies, too: nobody takes while another refuses.
    const ask = (given: TakeOptions) =>
      parts.map(({ policy, places: at }) =>
        partAnswer(
          policy,
          at.map((i) => demands[i]!),
          given,
          outage,
        ),
      );
    const foreseen = ask({ ...options, mode: Mode.peek });
    const isMet = foreseen.every(({ taken }) => taken.every(({ allowed }) => allowed));
    const answers = isMet || options.mode === Mode.force ? ask(options) : foreseen;
    const taken: Taken[] = [];
    parts.forEach(({ places: at }, i) => {
      at.forEach((place, k) => {
        taken[place] = answers[i]!.taken[k]!;
      });
    });
    return { by: SEVEREST.find((by) => answers.some((one) => one.by === by))!, taken };
  }

  return {
    answer,
    giveBack(demands) {
      for (const demand of demands) {
        const own = policyOf(demand);
        if (typeof own === "object") localOf(own).giveBack([demand]);
      }
    },
    forget(accounts) {
      for (const local of shares.values()) local.forget(accounts);
    },
    get isBehind() {
      return [...shares.values()].some(({ isBehind }) => isBehind);
    },
    async catchUp(store) {
      for (const local of shares.values()) await local.catchUp(store);
    },
    get unreported() {
      return [...shares.values()].reduce((sum, { unreported }) => sum + unreported, 0);
    },
  };
}

const SEVEREST: readonly Degradation[] = ["closed", "localShare", "open"];

/** Which demands fall under which policy, by their places in the list. */
function partsOf(
  demands: readonly Demand[],
  policyOf: (demand: Demand) => FallbackPolicy,
): readonly { readonly policy: FallbackPolicy; readonly places: readonly number[] }[] {
  const parts: { policy: FallbackPolicy; places: number[] }[] = [];
  demands.forEach((demand, i) => {
    const policy = policyOf(demand);
    const part = parts.find((one) => one.policy === policy);
    if (part === undefined) parts.push({ policy, places: [i] });
    else part.places.push(i);
  });
  return parts;
}

const always = (policy: FallbackPolicy) => () => policy;

/** @throws TypeError for anything else. */
function checked(policy: FallbackPolicy): FallbackPolicy {
  const isShare = typeof policy === "object" && policy !== null && "processes" in policy;
  if (policy === "closed" || policy === "open" || isShare) return policy;
  throw new TypeError(`A fallback is "closed", "open" or localShare(processes), but it is ${shown(policy)}.`);
}

const isPlaceOf = ({ ledger }: Pick<Demand, "ledger">): boolean => ledger.algorithm.name === "concurrency";

/** Nothing is known of what is left, so nothing is promised. */
export function letThrough({ cost, least, receipt, ...account }: Demand): Taken {
  return {
    allowed: true,
    remaining: 0,
    retryAfter: 0,
    resetAfter: 0,
    receipt: isPlaceOf(account) ? (receipt ?? 0) : NOTHING_TAKEN,
    degraded: true,
    ...(least !== undefined && { granted: cost }),
  };
}

function refused(demand: Demand, retryAfterMs: number): Taken {
  const again = retryAfterMs * 1000;
  return {
    ...letThrough(demand),
    allowed: false,
    retryAfter: again,
    resetAfter: again,
    ...(demand.least !== undefined && { granted: 0 }),
  };
}

function retryAfterOf(error: unknown): number {
  const { retryAfterMs } = (error ?? {}) as { retryAfterMs?: unknown };
  return typeof retryAfterMs === "number" && retryAfterMs > 0 && retryAfterMs < Infinity ? retryAfterMs : RETRY_MS;
}
