import { Mode } from "../algorithms/algorithm.ts";
import { concurrency } from "../algorithms/concurrency.ts";
import { wholeNumber } from "../algorithms/numbers.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Decision, decisionOf } from "./decision.ts";
import { milliseconds } from "./duration.ts";
import { type Quota, quota } from "./quota.ts";
import { chain, guarded, type Reply, type StoreFor, type Timing } from "./reply.ts";
import {
  type Awaitable,
  type Demand,
  type Ledger,
  ledger,
  type Store,
  type SyncStore,
  type WhenChanged,
} from "./store.ts";
import { WaitingLine, type WaitOptions } from "./waiting-line.ts";

/** A place that was asked for. It must be given back, or runs out. */
export interface Lease<M extends Timing = Timing> {
  /** Whether there was a place. */
  readonly decision: Decision;
  /** Give the place back. Giving back twice, or what was never got, is nothing. */
  release(): Reply<M, void>;
  /** Hold the place for another `leaseMs` from now. False: it had run out, and others hold all places. */
  renew(): Reply<M, boolean>;
}

/** At most so many at once, per key. */
export interface ConcurrencyLimiter<M extends Timing = Timing> {
  readonly name: string;
  /** The limit as a quota, with the unit "at once". */
  readonly quota: Quota;
  readonly leaseMs: number;
  readonly store: StoreFor<M>;
  /** Ask for a place now: see the lease's `decision`. */
  acquire(key: string, cost?: number): Reply<M, Lease<M>>;
  /**
   * Resolve once there is a place: first come, first served.
   *
   * @throws RateLimitError when there is none within `maxWaitMs`. Throws the signal's reason when it aborts.
   */
  wait(key: string, options?: WaitOptions): Promise<Lease<M>>;
  /**
   * Run `task` in a place that is renewed while it runs and given back however it ends.
   *
   * @param options `maxWaitMs` is 0 unless given: no place, no run.
   * @throws RateLimitError when there is no place.
   */
  run<T>(key: string, task: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
  /** What `acquire` would decide, taking nothing. */
  peek(key: string, cost?: number): Reply<M, Decision>;
  /** Demand a place together with other limits; see `reserveTogether`. */
  demand(key: string, cost?: number): Demand;
  /** Those who wait for `key` ask again: a place has been given back by other means than its lease. */
  wake(key: string): void;
}

export interface ConcurrencyLimiterOptions<S extends Store = Store> {
  /** Places per key: a whole number from 1. */
  readonly limit: number;
  /**
   * After so long without renewal a holder counts as lost, and its place is free. In milliseconds.
   *
   * @default 60_000
   */
  readonly leaseMs?: number;
  readonly store: S;
  /** Limiters with the same name, limit and store share their places. @default "concurrency" */
  readonly name?: string;
  /** At most this many wait for one key; more are refused at once. @default 1000 */
  readonly maxWaiting?: number;
  /** Whether places that are held still count when a deploy changes `limit` or `leaseMs`: see `createLimiter`. @default "fresh" */
  readonly whenChanged?: WhenChanged;
}

/** A name for a lease that no other process gives: 48 random bits. */
export function leaseName(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return 1 + (high! & 0xffff) * 2 ** 32 + low!;
}

export function concurrencyLimiterOver<S extends Store>(
  options: ConcurrencyLimiterOptions<S>,
): ConcurrencyLimiter<S extends SyncStore ? "sync" : "async"> {
  const { limit, leaseMs = 60_000, store, name = "concurrency", maxWaiting = 1000, whenChanged } = options;
  milliseconds("leaseMs", leaseMs, 1);
  wholeNumber("maxWaiting", maxWaiting, 1);
  return new LeaseLimiter(name, limit, leaseMs, store, maxWaiting, whenChanged) as unknown as ConcurrencyLimiter<
    S extends SyncStore ? "sync" : "async"
  >;
}

class LeaseLimiter implements ConcurrencyLimiter<Timing> {
  readonly name: string;
  readonly quota: Quota;
  readonly leaseMs: number;
  readonly store: Store;
  readonly #ledger: Ledger;
  readonly #maxWaiting: number;
  readonly #lines = new Map<string, WaitingLine<Lease>>();

  constructor(
    name: string,
    limit: number,
    leaseMs: number,
    store: Store,
    maxWaiting: number,
    whenChanged?: WhenChanged,
  ) {
    const algorithm = concurrency({ limit, leaseMs });
    this.name = name;
    this.leaseMs = leaseMs;
    this.store = store;
    this.quota = quota({ name: "concurrency", text: `${limit} at once`, periodMs: leaseMs, algorithm });
    this.#ledger = ledger(`${name}/places`, algorithm, whenChanged);
    this.#maxWaiting = maxWaiting;
  }

  get #clock(): Clock {
    return this.store.clock ?? systemClock;
  }

  demand(key: string, cost = 1): Demand {
    if (typeof key !== "string" || key === "") throw new TypeError("A key is a text that is not empty.");
    if (!(Number.isSafeInteger(cost) && cost >= 1)) {
      throw new RangeError(`A cost is a whole number of places, 1 or more, but it is ${String(cost)}.`);
    }
    return { ledger: this.#ledger, key, cost, receipt: leaseName() };
  }

  acquire(key: string, cost = 1): Reply<Timing, Lease> {
    const demand = this.demand(key, cost);
    return chain(this.#take(demand, Mode.take), (decision) => this.#lease(demand, decision));
  }

  peek(key: string, cost = 1): Reply<Timing, Decision> {
    return this.#take(this.demand(key, cost), Mode.peek);
  }

  async wait(key: string, options: WaitOptions = {}): Promise<Lease> {
    milliseconds("maxWaitMs", options.maxWaitMs ?? Infinity, 0);
    this.demand(key, options.cost);
    options.signal?.throwIfAborted();
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = this.#newLine(key);
      this.#lines.set(key, line);
    }
    return line.join(options);
  }

  async run<T>(key: string, task: () => T | PromiseLike<T>, options: WaitOptions = {}): Promise<T> {
    const lease = await this.wait(key, { maxWaitMs: 0, ...options });
    const stop = keepRenewing(lease, this.leaseMs, this.#clock);
    try {
      return await task();
    } finally {
      stop();
      await given(lease);
    }
  }

  wake(key: string): void {
    this.#lines.get(key)?.wake();
  }

  #take(demand: Demand, mode: Mode): Reply<Timing, Decision> {
    return chain(this.store.take([demand], { mode }), ([taken]) => decisionOf(this.quota, taken!));
  }

  #lease(demand: Demand, decision: Decision): Lease {
    let isHeld = decision.allowed;
    const release = (): Awaitable<void> => {
      if (!isHeld) return;
      isHeld = false;
      return chain(this.store.take([{ ...demand, cost: -demand.cost }], { mode: Mode.force }), () =>
        this.wake(demand.key),
      );
    };
    const renew = (): Awaitable<boolean> => {
      if (!isHeld) return false;
      return chain(this.#take(demand, Mode.take), ({ allowed }) => {
        isHeld &&= allowed;
        return isHeld;
      });
    };
    return { decision, release, renew } as unknown as Lease;
  }

  #newLine(key: string): WaitingLine<Lease> {
    return new WaitingLine<Lease>({
      clock: this.#clock,
      maxWaiting: this.#maxWaiting,
      isExact: false,
      onEmpty: () => this.#lines.delete(key),
      attempt: (cost) =>
        chain(this.acquire(key, cost) as Lease, (value) => ({
          decision: value.decision,
          value,
          undo: () => value.release(),
        })),
      foresee: (cost) => this.peek(key, cost),
    });
  }
}

/** The task is done, whatever the store says: a place that could not be given back runs out by itself. */
async function given(lease: Lease): Promise<void> {
  try {
    await lease.release();
  } catch {}
}

/**
 * Renew a lease three times per term, until told to stop or until it is lost. A renewal that fails is
 * tried again at the next turn. Does not keep a process alive that has nothing else to do.
 */
export function keepRenewing(lease: Pick<Lease, "renew">, leaseMs: number, clock: Clock): () => void {
  let isStopped = false;
  let cancel = clock.after(leaseMs / 3, renew, true);
  return () => {
    isStopped = true;
    cancel();
  };

  function renew(): void {
    guarded(
      () => chain(lease.renew(), goOn),
      () => goOn(true),
    );
  }

  function goOn(isHeld: boolean): void {
    if (isHeld && !isStopped) cancel = clock.after(leaseMs / 3, renew, true);
  }
}
