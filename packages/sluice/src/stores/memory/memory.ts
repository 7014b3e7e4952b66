import { Answer, Mode, type Verdict } from "../../algorithms/algorithm.ts";
import { wholeNumber } from "../../algorithms/numbers.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import type { DocumentText } from "../../limiter/shared-document.ts";
import {
  type Demand,
  decide,
  grantedOf,
  type Ledger,
  mergeDemands,
  type SyncStore,
  type Taken,
  type TakeOptions,
  type Times,
} from "../../limiter/store.ts";
import { ListTable } from "./list-table.ts";
import { SlabTable } from "./slab-table.ts";
import type { Room, Table } from "./table.ts";

export interface MemoryStoreOptions {
  /**
   * Keys to remember at most, over all limiters of the store; fewer if they are longer than 200
   * characters on average. When the store is full of live keys, newcomers share one overflow key per
   * quota: a flood of made-up keys makes nobody forget what he owes.
   *
   * @default 250_000
   */
  readonly maxKeys?: number;
  /** @default the monotonic clock of this process */
  readonly clock?: Clock;
}

/** What a memory store holds. */
export interface MemoryStoreStats {
  readonly keys: number;
  readonly maxKeys: number;
  /** Decisions that were made with an overflow key, because the store was full of live keys. */
  readonly overflowed: number;
}

/** Keeps states in this process and decides at once: the fastest store, and the reference for every other. */
export interface MemoryStore extends SyncStore {
  readonly clock: Clock;
  stats(): MemoryStoreStats;
}

/** Characters that keys may have on average in a full store: what clients send must not decide how much memory it takes. */
const KEY_LENGTH = 200;
/** Keys looked at for each newcomer: more than one, so that what has ended leaves faster than it comes. */
const SWEEP = 2;
/** A key that is as good as new stays for this long, in microseconds: whoever calls now and then is not forgotten each time. */
const LINGER = 60_000_000;
/** Keys looked at in each table before a newcomer is sent to the overflow key. */
const SWEEP_WHEN_FULL = 32;

export function memoryStore({ maxKeys = 250_000, clock = systemClock }: MemoryStoreOptions = {}): MemoryStore {
  wholeNumber("maxKeys", maxKeys, 1);
  const tables = new Map<string, Table>();
  const answer = new Answer();
  let keys = 0;
  let characters = 0;
  const documents = new Map<string, DocumentText>();
  let overflowed = 0;

  const hasRoomFor = (key: string): boolean => keys < maxKeys && characters + key.length <= maxKeys * KEY_LENGTH;

  const room: Room = {
    admit(table, key, now) {
      table.sweep(now - LINGER, SWEEP);
      if (hasRoomFor(key)) return true;
      if (table.sweep(now, SWEEP_WHEN_FULL) > 0 && hasRoomFor(key)) return true;
      for (const other of tables.values()) {
        if (other !== table && other.sweep(timeOf(other), SWEEP_WHEN_FULL) > 0 && hasRoomFor(key)) return true;
      }
      overflowed++;
      return false;
    },
    added(key) {
      keys++;
      characters += key.length;
    },
    removed(key) {
      keys--;
      characters -= key.length;
    },
  };

  const timeOf = ({ algorithm }: Table): number => clock[algorithm.clock]();

  function tableOf({ space, algorithm }: Ledger): Table {
    let table = tables.get(space);
    if (table === undefined) {
      table = algorithm.width === 0 ? new ListTable(algorithm, room) : new SlabTable(algorithm, room);
      tables.set(space, table);
    }
    table.algorithm = algorithm;
    return table;
  }

  function apply({ ledger, key, receipt = 0 }: Demand, cost: number, times: Times, mode: Mode): Verdict {
    tableOf(ledger).apply(ledger.algorithm, key, times[ledger.algorithm.clock], cost, mode, receipt, answer);
    return answer.freeze();
  }

  /** One demand, in place. */
  function takeOne(demand: Demand, times: Times, mode: Mode): Taken {
    const whole = apply(demand, demand.cost, times, mode);
    if (demand.least === undefined) return whole;
    const granted = grantedOf(demand, whole);
    const taken = granted === demand.cost ? whole : apply(demand, granted, times, mode);
    return { ...taken, granted: taken.allowed ? granted : 0 };
  }

  /** As `decide` does it, in place: look at all, then charge all. An account that is named twice is charged once. */
  function takeAll(demands: readonly Demand[], times: Times, mode: Mode): readonly Taken[] {
    const foreseen = demands.map((demand) => takeOne(demand, times, Mode.peek));
    const isRefused = mode !== Mode.force && foreseen.some(({ allowed }) => !allowed);
    if (isRefused) {
      // A refused step still brings a state from the future back to now: without that it would never be mended.
      return foreseen.map((one, i) => {
        const { cost, least = cost } = demands[i]!;
        const asked = one.allowed ? 0 : Math.min(cost, least);
        const stands = apply(demands[i]!, asked, times, one.allowed ? Mode.peek : mode);
        return one.granted === undefined ? stands : { ...stands, granted: 0 };
      });
    }
    if (mode === Mode.peek) return foreseen;
    const taken: Taken[] = [];
    for (const [i, demand] of demands.entries()) {
      const first = demands.indexOf(demand);
      const one = first < i ? taken[first]! : takeOne(demand, times, mode);
      if (!one.allowed) return undone(demands, taken, one, times);
      taken.push(one);
    }
    return taken;
  }

  /** Newcomers that share one overflow key can together ask it for more than each of them foresaw: then none gets it. */
  function undone(demands: readonly Demand[], taken: readonly Taken[], refused: Taken, times: Times): Taken[] {
    for (const [i, { receipt, granted }] of taken.entries()) {
      const demand = demands[i]!;
      if (demands.indexOf(demand) === i) apply({ receipt, ...demand }, -(granted ?? demand.cost), times, Mode.force);
    }
    return demands.map((demand, i) => {
      const stands = i === taken.length ? refused : apply(demand, 0, times, Mode.peek);
      return demand.least === undefined ? stands : { ...stands, granted: 0 };
    });
  }

  function take(demands: readonly Demand[], { mode = Mode.take, ahead = [] }: TakeOptions = {}): readonly Taken[] {
    const times = { elapsed: clock.elapsed(), wall: clock.wall() };
    const merged = mergeDemands(demands);
    if (ahead.length > 0) {
      const states = demands.map(({ ledger, key }) => tableOf(ledger).read(key, times[ledger.algorithm.clock]));
      return decide(demands, states, times, { mode, ahead });
    }
    return merged.length === 1 ? [takeOne(merged[0]!, times, mode)] : takeAll(merged, times, mode);
  }

  return {
    sync: true,
    clock,
    take,
    forget(accounts) {
      for (const { ledger, key } of accounts) tables.get(ledger.space)?.forget(key);
    },
    document: (name) => ({
      read: () => documents.get(name),
      replace(version, text) {
        if ((documents.get(name)?.version ?? 0) !== version) return false;
        documents.set(name, { version: version + 1, text });
        return true;
      },
    }),
    line(ledger) {
      const table = tableOf(ledger);
      const { algorithm } = ledger;
      const isWall = algorithm.clock === "wall";
      return {
        take(key, cost, elapsed) {
          const now = isWall ? clock.wall() : (elapsed ?? clock.elapsed());
          table.apply(algorithm, key, now, cost, Mode.take, 0, answer);
          return answer;
        },
        isEmpty: () => table.size === 0,
      };
    },
    stats: () => ({ keys, maxKeys, overflowed }),
  };
}
