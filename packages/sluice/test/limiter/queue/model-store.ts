import type { Mode, State } from "../../../src/algorithms/algorithm.ts";
import { exchange } from "../../../src/limiter/exchange.ts";
import { newQueue, type QueueState } from "../../../src/limiter/queue-state.ts";
import type { Grant, QueueNews, QueueReply, QueueRequest, QueueTerms } from "../../../src/limiter/shared-queue.ts";
import { type Demand, decide } from "../../../src/limiter/store.ts";

/** A store with one queue, in memory: the definition itself, with the faults that a real store has. */
export interface ModelStore {
  exchange(owner: string, request: QueueRequest): QueueReply;
  /** Its clock, in microseconds: may be set. */
  now(): number;
  stepClock(by: number): void;
  /** Lose the queue, or the accounts too. */
  loseQueue(): void;
  loseAll(): void;
  readonly state: QueueState;
}

export interface ModelStoreOptions {
  readonly terms: QueueTerms;
  /** The true time, in microseconds. */
  elapsed(): number;
  /** Hears what another owner is told. */
  tell(owner: string, news: QueueNews): void;
  /** Hears of every exchange. */
  audit(owner: string, before: QueueState, after: QueueState, grants: readonly Grant[]): void;
}

export function modelStore({ terms, elapsed, tell, audit }: ModelStoreOptions): ModelStore {
  let state = newQueue();
  const accounts = new Map<string, State>();
  let shift = 1_000_000_000;
  const now = () => elapsed() + shift;
  const nameOf = ({ ledger, key }: Demand) => `${ledger.space} ${key}`;

  function take(demands: readonly Demand[], mode: Mode) {
    const times = { elapsed: now(), wall: now() };
    const before = demands.map((demand) => accounts.get(nameOf(demand)));
    const steps = decide(demands, before, times, { mode });
    for (const [i, step] of steps.entries()) accounts.set(nameOf(demands[i]!), step.state);
    return steps;
  }

  return {
    now,
    exchange(owner, request) {
      const before = structuredClone(state);
      const { reply, told } = exchange(terms, state, owner, request, now(), take);
      // What is kept has to survive being written down.
      state = JSON.parse(JSON.stringify(state));
      audit(owner, before, state, [...reply.grants, ...[...told.values()].flatMap(({ grants }) => grants)]);
      for (const [other, news] of told) tell(other, { now: now(), ...news });
      return reply;
    },
    stepClock: (by) => {
      shift += by;
    },
    loseQueue: () => {
      state = newQueue();
    },
    loseAll() {
      state = newQueue();
      accounts.clear();
    },
    get state() {
      return state;
    },
  };
}
