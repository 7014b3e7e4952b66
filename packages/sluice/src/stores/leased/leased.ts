import { Answer, Mode } from "../../algorithms/algorithm.ts";
import { wholeNumber } from "../../algorithms/numbers.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import { milliseconds } from "../../limiter/duration.ts";
import { chain } from "../../limiter/reply.ts";
import { type Account, type Awaitable, type Demand, mergeDemands, type Store } from "../../limiter/store.ts";
import { type Books, newBooks } from "./books.ts";
import { Calls } from "./calls.ts";
import { decisions } from "./decisions.ts";
import { losses } from "./losses.ts";
import { fasterThan } from "./mirror.ts";
import { momentOf, sureOf } from "./moment.ts";
import { settlements } from "./settlements.ts";
import type { House } from "./space.ts";
import { Spaces } from "./spaces.ts";

export interface LeasedOptions {
  /**
   * How long granted units may be used, at most, in milliseconds. A quota takes less of it where the whole would
   * cost too much of its limit: a sliding window at most a part of its period, a bucket of its burst.
   *
   * @default 1000
   */
  readonly leaseMs?: number;
  /** Keys to remember at most; the store is asked each time for those beyond. @default 100_000 */
  readonly maxKeys?: number;
  /** The time of this process: units are used by it. @default the clock of the store, else that of this process */
  readonly clock?: Clock;
}

/** What a leased store has done since it was made, in decisions, calls and units. */
export interface LeasedStats extends Readonly<Books> {
  /** Granted units that may still be used. Always: granted = used + returned + expired + held. */
  readonly held: number;
}

/** A store that decides most calls at once, in this process, with units that it was granted before. */
export interface LeasedStore extends Store {
  readonly clock: Clock;
  stats(): LeasedStats;
  /** Hands back what is left, then closes the store around which it is. */
  close(): Promise<void>;
}

/**
 * A store around a shared store that takes dated shares of a quota, and then decides in this process and at once.
 *
 * **Bound**: what each algorithm promises holds over all processes, also when they crash, sleep, or lose requests and
 * answers: a granted unit is used before a deadline, and the store counts it for so much longer. What that costs of the
 * limit, each algorithm's `forLeases` says. If the store loses its state, as much as it held may be used once more.
 *
 * It has no `queue`: a queue grants one call at a time, and shares are for limits that are too large for that.
 *
 * Quotas that are too small for shares, places, and algorithms without `forLeases` go to the store each time.
 * The store must do each call at most once: a client that sends a call again that it got no answer to hands units back twice.
 *
 * @example
 * const limiter = createLimiter({ quota: "60000/min", store: leased(redisStore({ client })) });
 *
 * @throws RangeError for numbers out of range.
 */
export function leased(store: Store, options: LeasedOptions = {}): LeasedStore {
  const { leaseMs = 1000, maxKeys = 100_000, clock = store.clock ?? systemClock } = options;
  const lease = Math.floor(milliseconds("leaseMs", leaseMs, 1) * 1000);
  wholeNumber("maxKeys", maxKeys, 1);
  const factLife = sureOf(lease);
  const books = newBooks();
  let cancel: (() => void) | undefined;
  let closed: Promise<void> | undefined;
  let isClosed = false;

  const house: House = { books, maxKeys, keys: 0, time: fasterThan(clock), wake };
  const spaces = new Spaces(lease, factLife, house);
  const calls = new Calls(store, books);
  const lost = losses({ calls, books, time: house.time });
  const decide = decisions({ spaces, calls, losses: lost, clock, factLife, time: house.time, books });
  const settle = settlements({ spaces, calls, clock, time: house.time });
  const answer = new Answer();

  /** Unused units go back within half a lease after their deadline, of all accounts in one turn. */
  function wake(): void {
    if (cancel !== undefined || isClosed) return;
    let life = lease;
    for (const space of spaces.all.values()) life = Math.min(life, space.life);
    cancel = clock.after(Math.max(1, life / 2000), tick, true);
  }

  function tick(): void {
    cancel = undefined;
    const now = momentOf(clock);
    let isBusy = false;
    for (const space of spaces.all.values()) {
      isBusy = space.sweep(now) || isBusy;
      void calls.handBack(space);
    }
    if (isBusy) wake();
  }

  function peek(demands: readonly Demand[], ahead: readonly number[]) {
    const now = momentOf(clock);
    const parts = mergeDemands(demands).map((demand) => spaces.part(demand, now));
    const inHand = parts.map(({ account }) => (ahead.length === 0 && account?.available(now)) || 0);
    const asked = parts.map(({ atStore, demand: { cost } }, i) => ({
      ...atStore,
      cost: cost - Math.min(cost, inHand[i]!),
    }));
    return chain(calls.take(asked, { mode: Mode.peek, ahead }), (answers) =>
      answers.map((one, i) => ({
        ...one,
        remaining: one.remaining + Math.max(0, inHand[i]! - Math.max(0, parts[i]!.demand.cost)),
      })),
    );
  }

  function forget(accounts: readonly Account[]): Awaitable<void> {
    const now = momentOf(clock);
    const parts = accounts.map((account) => spaces.part({ ...account, cost: 0 }, now));
    const marks: Demand[] = [];
    for (const { demand, account, fact } of parts) {
      fact?.forget();
      account?.forget();
      const space = spaces.all.get(demand.ledger.space);
      if (space !== undefined) marks.push({ ledger: space.resets, key: demand.key, cost: space.memory });
    }
    const forgotten = parts.map(({ atStore: { ledger, key } }) => ({ ledger, key }));
    const marked = marks.length === 0 ? undefined : calls.take(marks, { mode: Mode.force });
    return chain(marked, () => store.forget(forgotten));
  }

  async function close(): Promise<void> {
    isClosed = true;
    cancel?.();
    for (const space of spaces.all.values()) space.release();
    await Promise.all([...spaces.all.values()].map((space) => calls.handBack(space, Infinity)));
    await store.close?.();
  }

  return {
    clock,
    take(demands, { mode = Mode.take, ahead = [] } = {}) {
      if (isClosed) return Promise.reject(new Error("The leased store is closed, and decides no more."));
      if (mode === Mode.peek) return peek(demands, ahead);
      if (mode === Mode.force) return settle(demands);
      if (demands.every(({ cost }) => cost >= 0)) return decide(demands);
      if (demands.every(({ cost }) => cost < 0)) return settle(demands);
      return chain(decide(demands.map((demand) => ({ ...demand, cost: Math.max(0, demand.cost) }))), (taken) =>
        taken.every(({ allowed }) => allowed)
          ? chain(settle(demands.filter(({ cost }) => cost < 0)), () => taken)
          : taken,
      );
    },
    forget,
    shortcut(quota, blocks) {
      const space = spaces.space(quota);
      const facts = spaces.facts(blocks);
      const now = { elapsed: 0, wall: 0 };
      return {
        take(key, cost) {
          const account = space?.accounts.get(key);
          if (account === undefined) return undefined;
          now.elapsed = clock.elapsed();
          now.wall = clock.wall();
          if (account.fact?.isFree(now, factLife) !== true) account.fact = facts.get(key);
          if (account.fact?.isFree(now, factLife) !== true || !account.decide(cost, now, answer)) return undefined;
          books.hits++;
          return answer;
        },
      };
    },
    stats() {
      let held = 0;
      for (const space of spaces.all.values()) held += space.held;
      return { ...books, held };
    },
    ...(store.document && { document: (name: string) => store.document!(name) }),
    close() {
      closed ??= close();
      return closed;
    },
  };
}
