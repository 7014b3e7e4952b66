import { Mode, type Verdict } from "../algorithms/algorithm.ts";
import { block } from "../algorithms/block.ts";
import { shown, wholeNumber } from "../algorithms/numbers.ts";
import { systemClock } from "./clock.ts";
import { bindingOf, type Decision, decisionOf } from "./decision.ts";
import { milliseconds } from "./duration.ts";
import { RateLimitError } from "./errors.ts";
import { announcer, type DecisionListener } from "./events.ts";
import type { Quota } from "./quota.ts";
import { type QuotaLike, toQuotas } from "./rate.ts";
import { chain, type Reply, replyOf, type StoreFor, type Timing } from "./reply.ts";
import { type Claim, decisionsOf, type Reservation, reserve } from "./reservation.ts";
import {
  type Account,
  type Express,
  isSync,
  type Line,
  ledger,
  type Shortcut,
  type Store,
  type SyncStore,
  type WhenChanged,
} from "./store.ts";
import { WaitingLine, type WaitOptions } from "./waiting-line.ts";

/** One key, or several that are charged together: all or none. */
export type Keys = string | readonly string[];

/** Quotas over a store. Over a store in memory (`"sync"`) decisions come at once, else as promises. */
export interface Limiter<M extends Timing = Timing> {
  readonly name: string;
  readonly quotas: readonly Quota[];
  readonly store: StoreFor<M>;
  /**
   * Take `cost` units from the key under every quota, or none at all. Being refused costs nothing.
   *
   * @param cost whole units, 0 or more. @default 1
   * @throws RangeError for any other cost. @throws TypeError for an empty key.
   */
  consume(key: Keys, cost?: number): Reply<M, Decision>;
  /** What `consume` would answer, taking nothing. */
  peek(key: Keys, cost?: number): Reply<M, Decision>;
  /**
   * Hand back the newest `cost` units that the key was charged. For units taken a while ago,
   * `reserve` is exact: it knows which charge it undoes.
   */
  refund(key: Keys, cost?: number): Reply<M, void>;
  /** Make the key as good as new, and lift a block. */
  reset(key: Keys): Reply<M, void>;
  /** Refuse the key for `forMs` milliseconds, whatever its quotas say. */
  block(key: Keys, forMs: number): Reply<M, void>;
  /** Take units now and settle later, when the true cost is known. */
  reserve(key: Keys, cost?: number): Reply<M, Reservation<M>>;
  /**
   * Resolve once `cost` units were taken: in the order of the calls on one key of this limiter.
   *
   * @throws RateLimitError at once when that cannot be within `maxWaitMs`. Throws the signal's reason when it aborts.
   */
  wait(key: Keys, options?: WaitOptions): Promise<Decision>;
  /** The demands that a call makes on the store: to decide together with other limiters, see `reserveTogether`. */
  claims(key: Keys, cost?: number): readonly Claim[];
}

export interface LimiterOptions<S extends Store = Store> {
  /** One quota, or several that must all agree: `"60/min"`, `perMinute(60)`, or a list of such. */
  readonly quota: QuotaLike | readonly QuotaLike[];
  /** Where the state lives. */
  readonly store: S;
  /**
   * Limiters with the same name, quotas and store share their state.
   *
   * @default "default"
   */
  readonly name?: string;
  /** At most this many calls wait for one key; more are refused at once. @default 1000 */
  readonly maxWaiting?: number;
  /**
   * What becomes of usage when a deploy changes the numbers of a quota: `"fresh"` begins anew; `"carry"`
   * goes on with what was used, as long as the name of the quota and its algorithm stay. Processes with old
   * and with new numbers then charge one account, each by its own numbers. Takes effect for what is used
   * under it: turn it on a deploy before the numbers change.
   *
   * @default "fresh"
   */
  readonly whenChanged?: WhenChanged;
  /** Is told of every decision of `consume`, `reserve` and `wait`. What it throws is reported once and changes nothing. */
  readonly onDecision?: DecisionListener;
}

/** The name under which a block refuses. */
const BLOCK = { name: "block", limit: 0 };

/** Quotas over a store, as one thing to ask. */
export function limiterOver<S extends Store>(
  options: LimiterOptions<S>,
): Limiter<S extends SyncStore ? "sync" : "async"> {
  return new QuotaLimiter(options) as unknown as Limiter<S extends SyncStore ? "sync" : "async">;
}

class QuotaLimiter implements Limiter<Timing> {
  readonly name: string;
  readonly quotas: readonly Quota[];
  readonly store: Store;
  readonly #ledgers;
  readonly #blocks;
  readonly #maxWaiting: number;
  readonly #announce: ((key: Keys, cost: number, decision: Decision) => void) | undefined;
  readonly #lines = new Map<string, WaitingLine<Decision>>();
  /** Straight to the state of the only quota, over a store in memory. */
  readonly #line: Line | undefined;
  readonly #blockLine: Line | undefined;
  /** The same, over a store that decides most calls in this process. */
  readonly #shortcut: Shortcut | undefined;
  /** The same, over a store that has to ask somebody. */
  readonly #express: Express | undefined;
  readonly #quotaName: string;
  readonly #limit: number;

  constructor({ quota, store, name = "default", maxWaiting = 1000, whenChanged, onDecision }: LimiterOptions) {
    this.name = name;
    this.quotas = toQuotas(quota);
    this.store = store;
    this.#maxWaiting = wholeNumber("maxWaiting", maxWaiting, 1);
    this.#ledgers = this.quotas.map((one) => ledger(`${name}/${one.name}`, one.algorithm, whenChanged));
    this.#blocks = ledger(`${name}/block`, block);
    this.#announce = onDecision && announcer(onDecision);
    this.#quotaName = this.quotas[0]!.name;
    this.#limit = this.quotas[0]!.limit;
    const isPlain = this.quotas.length === 1 && this.#announce === undefined;
    if (isSync(store)) {
      this.#blockLine = store.line(this.#blocks);
      if (isPlain) this.#line = store.line(this.#ledgers[0]!);
    } else if (isPlain) {
      this.#shortcut = store.shortcut?.(this.#ledgers[0]!, this.#blocks);
      this.#express = store.express?.(this.#ledgers[0]!, this.#blocks);
    }
  }

  consume(key: Keys, cost = 1): Reply<Timing, Decision> {
    if (this.#line !== undefined && typeof key === "string" && this.#blockLine!.isEmpty()) {
      if (key.length === 0) throw emptyKey(key);
      if (!(cost >= 0 && Number.isSafeInteger(cost))) throw badCost(cost);
      return this.#decisionOf(this.#line.take(key, cost));
    }
    if (this.#shortcut !== undefined && typeof key === "string" && key.length > 0 && cost >= 0) {
      if (!Number.isSafeInteger(cost)) throw badCost(cost);
      const verdict = this.#shortcut.take(key, cost);
      if (verdict !== undefined) return Promise.resolve(this.#decisionOf(verdict));
    }
    if (this.#express !== undefined && typeof key === "string" && key.length > 0 && cost >= 0) {
      if (!Number.isSafeInteger(cost)) throw badCost(cost);
      return this.#express.take(key, cost, this.#decided);
    }
    return chain(this.reserve(key, cost), ({ decision }) => decision);
  }

  readonly #decided = (verdict: Verdict, blocked?: Verdict): Decision =>
    blocked === undefined
      ? this.#decisionOf(verdict)
      : bindingOf([this.#decisionOf(verdict), decisionOf(BLOCK, blocked)]);

  /** For one quota, as short as it can be. */
  #decisionOf({ allowed, remaining, retryAfter, resetAfter }: Verdict): Decision {
    return {
      allowed,
      quota: this.#quotaName,
      limit: this.#limit,
      remaining,
      retryAfterMs: allowed ? 0 : Math.ceil(retryAfter / 1000),
      resetAfterMs: Math.ceil(resetAfter / 1000),
      degraded: false,
    };
  }

  peek(key: Keys, cost = 1): Reply<Timing, Decision> {
    return replyOf(this.store, this.#foresee(key, cost, []));
  }

  refund(key: Keys, cost = 1): Reply<Timing, void> {
    const demands = this.#quotaClaims(key, cost).map(({ demand }) => ({ ...demand, cost: -cost }));
    return replyOf(
      this.store,
      chain(this.store.take(demands), () => undefined),
    );
  }

  reset(key: Keys): Reply<Timing, void> {
    return replyOf(
      this.store,
      chain(this.store.forget(this.#accounts(key)), () => undefined),
    );
  }

  block(key: Keys, forMs: number): Reply<Timing, void> {
    const cost = Math.ceil(milliseconds("forMs", forMs, 0) * 1000);
    if (!Number.isSafeInteger(cost)) throw new RangeError(`forMs must be below 285 years, but it is ${shown(forMs)}.`);
    const demands = keysOf(key).map((one) => ({ ledger: this.#blocks, key: one, cost }));
    return replyOf(
      this.store,
      chain(this.store.take(demands, { mode: Mode.force }), () => undefined),
    );
  }

  reserve(key: Keys, cost = 1): Reply<Timing, Reservation> {
    const reserved = chain(reserve(this.store, this.claims(key, cost)), (reservation) => {
      this.#announce?.(key, cost, reservation.decision);
      return reservation;
    });
    return replyOf(this.store, reserved);
  }

  async wait(key: Keys, options: WaitOptions = {}): Promise<Decision> {
    const { cost = 1, maxWaitMs = Infinity } = options;
    milliseconds("maxWaitMs", maxWaitMs, 0);
    this.#quotaClaims(key, cost);
    options.signal?.throwIfAborted();
    const line = JSON.stringify(key);
    let waiting = this.#lines.get(line);
    if (waiting === undefined) {
      waiting = this.#newLine(key, () => this.#lines.delete(line));
      this.#lines.set(line, waiting);
    }
    if (this.#announce === undefined) return waiting.join(options);
    try {
      const decision = await waiting.join(options);
      this.#announce(key, cost, decision);
      return decision;
    } catch (error) {
      if (error instanceof RateLimitError) this.#announce(key, cost, error.decision);
      throw error;
    }
  }

  claims(key: Keys, cost = 1): readonly Claim[] {
    const claims = this.#quotaClaims(key, cost);
    if (this.#blockLine?.isEmpty()) return claims;
    return [
      ...claims,
      ...keysOf(key).map((one) => ({ quota: BLOCK, demand: { ledger: this.#blocks, key: one, cost: 1 } })),
    ];
  }

  #newLine(key: Keys, onEmpty: () => void): WaitingLine<Decision> {
    return new WaitingLine<Decision>({
      clock: this.store.clock ?? systemClock,
      maxWaiting: this.#maxWaiting,
      isExact: true,
      onEmpty,
      attempt: (cost) =>
        chain(reserve(this.store, this.claims(key, cost)), ({ decision, release }) => ({
          decision,
          value: decision,
          undo: release,
        })),
      foresee: (cost, ahead) => this.#foresee(key, cost, ahead),
    });
  }

  #foresee(key: Keys, cost: number, ahead: readonly number[]): Reply<Timing, Decision> {
    const claims = this.claims(key, cost);
    const taken = this.store.take(
      claims.map(({ demand }) => demand),
      { mode: Mode.peek, ahead },
    );
    return chain(taken, (answers) => bindingOf(decisionsOf(claims, answers)));
  }

  #quotaClaims(key: Keys, cost: number): Claim[] {
    if (!(cost >= 0 && Number.isSafeInteger(cost))) throw badCost(cost);
    return keysOf(key).flatMap((one) =>
      this.quotas.map((quota, i) => ({ quota, demand: { ledger: this.#ledgers[i]!, key: one, cost } })),
    );
  }

  #accounts(key: Keys): Account[] {
    return keysOf(key).flatMap((one) => [this.#blocks, ...this.#ledgers].map((each) => ({ ledger: each, key: one })));
  }
}

function keysOf(key: Keys): readonly string[] {
  const keys = typeof key === "string" ? [key] : key;
  if (!Array.isArray(keys) || keys.length === 0 || keys.some((one) => typeof one !== "string" || one === ""))
    throw emptyKey(key);
  return keys;
}

function emptyKey(key: unknown): TypeError {
  return new TypeError(
    `A key is a text that is not empty, or a list of such, but it is ${shown(key)}. An empty key would make everybody share one limit.`,
  );
}

function badCost(cost: unknown): RangeError {
  return new RangeError(`A cost is a whole number of units, 0 or more, but it is ${shown(cost)}.`);
}
