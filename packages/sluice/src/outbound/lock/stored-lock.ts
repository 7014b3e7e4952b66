import { type Algorithm, Mode } from "../../algorithms/algorithm.ts";
import { concurrency } from "../../algorithms/concurrency.ts";
import { fixedWindow } from "../../algorithms/fixed-window.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import { leaseName } from "../../limiter/concurrency-limiter.ts";
import { type Demand, isSync, ledger, type Store, type Taken } from "../../limiter/store.ts";

/** A lock that was got. */
export interface Hold {
  /** Grows with every acquisition. */
  readonly token: number;
  /** When it was asked for: the lease ends no earlier than `leaseMs` after that. On the clock's elapsed time. */
  readonly askedAt: number;
  /** Hold it for another `leaseMs` from now. False: it had run out. @throws what the store throws, also when it could not decide */
  renew(): Promise<boolean>;
  /** Give it back, whatever the store says: a lease that could not be given back runs out by itself. */
  release(): Promise<void>;
}

/** What came of asking for a lock. */
export interface Ask {
  /** Undefined: it was not to be had. */
  readonly hold: Hold | undefined;
  /** When the lease of its holder ends unless it is renewed, in milliseconds. */
  readonly freeInMs: number;
  /** The store that should have decided did not. */
  readonly degraded: boolean;
}

/** A lock in a store, as one who may wait for it sees it. */
export interface StoredLock {
  /**
   * Take the lock if it is free, and nobody else is next.
   *
   * @param isNext who is next himself takes it all the same, and is next no more
   * @throws what the store throws
   */
  ask(isNext: boolean): Promise<Ask>;
  /** Be next, for {@link NEXT_MS} from now. False: somebody else is. @throws what the store throws */
  queue(): Promise<boolean>;
  /** Be next no more. */
  unqueue(): Promise<void>;
}

/** How long a count of acquisitions stays: see {@link storedLock}. A day in microseconds. */
const COUNTED = 86_400_000_000;
/** One per microsecond: so the last token of a count is smaller than the first of the next. */
const counting = fixedWindow({ limit: COUNTED, periodMs: COUNTED / 1000 });
/** The same without terms for leases: processes that count shares of their own count nothing. */
const counter: Algorithm = {
  name: counting.name,
  params: counting.params,
  capacity: counting.capacity,
  width: counting.width,
  clock: counting.clock,
  apply: (...step) => counting.apply(...step),
  isFresh: (...state) => counting.isFresh(...state),
};
const tokens = ledger("with-lock/tokens", counter);

/** Who is next in line for a lock has to say so again after this time, in milliseconds. */
export const NEXT_MS = 250;
const nexts = ledger("with-lock/next", concurrency({ limit: 1, leaseMs: NEXT_MS }), "carry");
/** To be next for a microsecond is to ask whether somebody is. All who ask do it under one name, so they do not see each other. */
const anyNext = ledger("with-lock/next", concurrency({ limit: 1, leaseMs: 0.001 }), "carry");
const ANYBODY = 1;

/**
 * A lock as accounts that are charged together: a place for one, and a count of acquisitions.
 *
 * **The place** is a concurrency limit of 1 that is carried over to other `leaseMs`: callers that do not agree on it
 * exclude each other all the same. It is renewed by asking for two places. Nobody is ever given two, but who holds
 * one keeps it under the new cost: so a lease that ran out is refused, even if nobody has it now, and a holder who
 * was asleep while others came and went finds out.
 *
 * **The token** is the store's time at which its count began, in microseconds, plus the count. So tokens grow while
 * the store keeps the count, whatever its clock does (a step back of more than a day excepted). They grow as well
 * when the count is lost (FLUSHALL, eviction, a new file, a failover), if by then the store's clock is beyond where
 * that count began. A count ends a day after it began, so a lock that nobody uses any more leaves nothing behind,
 * and by the same reason tokens go on growing. Over a memory store, whose time begins with the process, the time on
 * the wall at that beginning is added.
 *
 * **Who is next** is a second place for one. While somebody has it, no newcomer gets the lock: without it a process
 * that always has somebody waiting would hand the lock to its own for ever, before others come to ask.
 */
export function storedLock(store: Store, name: string, leaseMs: number): StoredLock {
  const { clock = systemClock } = store;
  const places = ledger("with-lock/places", concurrency({ limit: 1, leaseMs }), "carry");
  const me = leaseName();
  const meAsNext = { ledger: nexts, key: name, cost: 1, receipt: me };
  const noMoreNext = { ...meAsNext, cost: -1 };
  const nobodyNext = { ledger: anyNext, key: name, cost: 1, receipt: ANYBODY };

  /** What could not be given back runs out. */
  async function giveBack(demand: Demand): Promise<void> {
    try {
      await store.take([demand], { mode: Mode.force });
    } catch {}
  }

  return {
    async ask(isNext) {
      const place = { ledger: places, key: name, cost: 1, receipt: leaseName() };
      const release = () => giveBack({ ...place, cost: -1 });
      const askedAt = clock.elapsed();
      let taken: readonly Taken[];
      try {
        taken = await store.take([place, { ledger: tokens, key: name, cost: 1 }, isNext ? noMoreNext : nobodyNext]);
      } catch (error) {
        // The store may have granted it all the same.
        void release();
        throw error;
      }
      const freeInMs = Math.ceil(Math.max(...taken.map(({ retryAfter }) => retryAfter)) / 1000);
      const degraded = taken.some((one) => one.degraded === true);
      if (!taken.every(({ allowed }) => allowed)) return { hold: undefined, freeInMs, degraded };
      // What another store grants excludes nobody.
      if (degraded) {
        await release();
        return { hold: undefined, freeInMs, degraded };
      }
      const renew = async () => {
        const [renewed] = await store.take([{ ...place, cost: 2 }]);
        if (renewed!.degraded) throw new Error("The store could not be asked, and another answered in its place.");
        return renewed!.allowed;
      };
      return { hold: { token: tokenOf(store, clock, taken[1]!), askedAt, renew, release }, freeInMs, degraded };
    },
    async queue() {
      const [next] = await store.take([meAsNext]);
      return next!.allowed && next!.degraded !== true;
    },
    unqueue: () => giveBack(noMoreNext),
  };
}

function tokenOf(store: Store, clock: Clock, { receipt, remaining }: Taken): number {
  const began = receipt - COUNTED;
  return began + (counter.capacity - remaining) + (isSync(store) ? originOf(clock) : 0);
}

const origins = new WeakMap<Clock, number>();

/** The time on the wall when a clock's elapsed time was 0, found out once: elapsed time never goes back, and so tokens do not. */
function originOf(clock: Clock): number {
  let origin = origins.get(clock);
  if (origin === undefined) {
    origin = clock.wall() - clock.elapsed();
    origins.set(clock, origin);
  }
  return origin;
}
