import type { Mode, State } from "../../../src/algorithms/algorithm.ts";
import type { Clock } from "../../../src/limiter/clock.ts";
import { exchange } from "../../../src/limiter/exchange.ts";
import { newQueue, type QueueState } from "../../../src/limiter/queue-state.ts";
import type { QueueReply, QueueRequest, QueueSeat, QueueTerms } from "../../../src/limiter/shared-queue.ts";
import { type Demand, decide, type Store } from "../../../src/limiter/store.ts";

/** The way between one process and the store. */
export interface Wire {
  ask<T>(act: () => T): Promise<T>;
  push(deliver: () => void): void;
}

interface ConnectOptions {
  readonly wire: Wire;
  /** The clock of the process. */
  readonly clock: Clock;
  /** Whether there is a queue, or only `take`. @default true */
  readonly hasQueue?: boolean;
}

/** A store that several processes use, in memory: the definitions themselves. */
export interface SharedModel {
  connect(options: ConnectOptions): Store;
  /** Everything is forgotten. */
  loseAll(): void;
  /** Set its clock, in microseconds. */
  stepClock(by: number): void;
  /** The tickets of all queues. */
  tickets(): QueueState["tickets"];
  /** What it was asked. */
  readonly counts: { takes: number; exchanges: number };
}

interface KeptQueue {
  readonly terms: QueueTerms;
  state: QueueState;
  readonly seats: Map<string, { readonly seat: QueueSeat; readonly wire: Wire }>;
}

/** @param elapsed the true time, in microseconds */
export function sharedModel(elapsed: () => number): SharedModel {
  const accounts = new Map<string, State>();
  const queues = new Map<string, KeptQueue>();
  const counts = { takes: 0, exchanges: 0 };
  let shift = 1_000_000_000_000;
  const now = () => elapsed() + shift;

  function take(demands: readonly Demand[], mode?: Mode) {
    const nameOf = ({ ledger, key }: Demand) => `${ledger.space} ${key}`;
    const states = demands.map((demand) => accounts.get(nameOf(demand)));
    const steps = decide(demands, states, { elapsed: now(), wall: now() }, mode === undefined ? {} : { mode });
    for (const [i, { state }] of steps.entries()) accounts.set(nameOf(demands[i]!), state);
    return steps;
  }

  function queueOf(terms: QueueTerms): KeptQueue {
    const name = JSON.stringify(terms);
    const queue = queues.get(name) ?? { terms, state: newQueue(), seats: new Map() };
    queues.set(name, queue);
    return queue;
  }

  function ask(queue: KeptQueue, owner: string, request: QueueRequest): QueueReply {
    counts.exchanges++;
    const { reply, told } = exchange(queue.terms, queue.state, owner, request, now(), take);
    for (const [other, news] of told) {
      const place = queue.seats.get(other);
      const said = { now: now(), ...structuredClone(news) };
      place?.wire.push(() => place.seat.inform(said));
    }
    return structuredClone(reply);
  }

  return {
    counts,
    connect: ({ wire, clock, hasQueue = true }) => ({
      clock,
      take: (demands, options) =>
        wire.ask(() => {
          counts.takes++;
          return take(demands, options?.mode);
        }),
      forget: () => {},
      ...(hasQueue && {
        queue(terms: QueueTerms, seat: QueueSeat) {
          const queue = queueOf(terms);
          queue.seats.set(seat.owner, { seat, wire });
          return {
            exchange: (request: QueueRequest) => wire.ask(() => ask(queue, seat.owner, structuredClone(request))),
            close: () => void queue.seats.delete(seat.owner),
          };
        },
      }),
    }),
    loseAll() {
      accounts.clear();
      for (const queue of queues.values()) queue.state = newQueue();
    },
    stepClock: (by) => {
      shift += by;
    },
    tickets: () => [...queues.values()].flatMap(({ state }) => state.tickets),
  };
}
