import { type Demand, decide, Mode, type State, type Taken } from "sluice";
import type { Clock } from "../../../../src/limiter/clock.ts";
import { exchange } from "../../../../src/limiter/exchange.ts";
import { newQueue } from "../../../../src/limiter/queue-state.ts";
import type { QueueNews, QueueReply, QueueRequest, QueueTerms } from "../../../../src/limiter/shared-queue.ts";
import type { Account, Ledger } from "../../../../src/limiter/store.ts";

/** What the definition says, over states that are forgotten when Redis forgets them. */
export interface ModelQueue {
  exchange(owner: string, request: QueueRequest): { reply: QueueReply; told: ReadonlyMap<string, QueueNews> };
  take(demands: readonly Demand[], mode: Mode): readonly Taken[];
  /** The queue is lost, and with it the accounts or not. */
  lose(isAll: boolean): void;
}

export function modelQueue(terms: QueueTerms, clock: Clock): ModelQueue {
  const states = new Map<string, State>();
  let queue = newQueue();

  function take(demands: readonly Demand[], mode: Mode): readonly Taken[] {
    const now = clock.wall();
    const given = demands.map((demand) => states.get(nameOf(demand)));
    const steps = decide(demands, given, { elapsed: now, wall: now }, { mode });
    for (const [i, { state }] of steps.entries()) {
      const isChanged = mode !== Mode.peek && `${state}` !== `${given[i] ?? ""}`;
      if (!isChanged) continue;
      if (isNew(demands[i]!.ledger, state, now)) states.delete(nameOf(demands[i]!));
      else states.set(nameOf(demands[i]!), state);
    }
    return steps.map(({ state: _, ...taken }) => taken);
  }

  return {
    exchange(owner, request) {
      const now = clock.wall();
      const { reply, told } = exchange(terms, queue, owner, request, now, take);
      return { reply, told: new Map([...told].map(([whom, news]) => [whom, { now, ...news }])) };
    },
    take,
    lose(isAll) {
      queue = newQueue();
      if (isAll) states.clear();
    },
  };
}

const nameOf = ({ ledger, key }: Account): string => JSON.stringify([ledger.space, key]);

function isNew({ algorithm }: Ledger, state: State, now: number): boolean {
  if (algorithm.carries && algorithm.name === "token-bucket") return state[0] === 0;
  return algorithm.isFresh([...state], 0, now);
}
