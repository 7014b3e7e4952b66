import type { QueueState } from "../../../src/limiter/queue-state.ts";
import type { Grant } from "../../../src/limiter/shared-queue.ts";

/** What was wrong in the line itself, exchange by exchange. */
export interface Line {
  readonly wrong: readonly string[];
  /** How much further one lane got than another while both waited: units. */
  readonly unfairness: number;
  /** The most lanes that were remembered though none of their tickets waited. */
  readonly idleLanes: number;
  audit(owner: string, before: QueueState, after: QueueState, grants: readonly Grant[]): void;
  /** The queue was lost or its clock was set: what was before counts no more. */
  forget(): void;
}

export function lineJudge(): Line {
  const wrong: string[] = [];
  /** Of two lanes that both wait: how much further the first got, now, at least and at most. */
  let pairs = new Map<string, { lead: number; least: number; most: number }>();
  let unfairness = 0;
  let idleLanes = 0;

  function judgeOrder(after: QueueState, before: QueueState, grants: readonly Grant[]): void {
    const orders = after.tickets.map(({ order }) => order);
    if (orders.some((order, i) => i > 0 && order < orders[i - 1]!)) wrong.push("tickets do not stand in order");
    if (new Set(after.tickets.map(({ id }) => id)).size < orders.length) wrong.push("a ticket stands twice");
    if (after.tickets.some(({ id }) => grants.some((grant) => grant.id === id)))
      wrong.push("a granted ticket waits on");
    for (const { id, lane } of grants) {
      const order = before.tickets.find((ticket) => ticket.id === id)?.order;
      const overtaken = before.tickets.find(
        (ticket) => ticket.lane === lane && order !== undefined && ticket.order < order,
      );
      if (overtaken !== undefined && after.tickets.some((ticket) => ticket.id === overtaken.id))
        wrong.push(`a ticket overtook another in ${lane}`);
    }
  }

  function judgeTurns(after: QueueState, before: QueueState, grants: readonly Grant[]): void {
    const lanesOf = (state: QueueState) => [...new Set(state.tickets.map(({ lane }) => lane))].sort();
    const waiting = lanesOf(after).filter((lane) => lanesOf(before).includes(lane));
    const units = (lane: string) => grants.reduce((sum, grant) => sum + (grant.lane === lane ? grant.cost : 0), 0);
    const next: typeof pairs = new Map();
    for (const a of waiting) {
      for (const b of waiting) {
        if (a >= b) continue;
        const old = pairs.get(`${a} ${b}`) ?? { lead: 0, least: 0, most: 0 };
        const lead = old.lead + units(a) - units(b);
        const pair = { lead, least: Math.min(old.least, lead), most: Math.max(old.most, lead) };
        unfairness = Math.max(unfairness, pair.most - pair.least);
        next.set(`${a} ${b}`, pair);
      }
    }
    pairs = next;
    idleLanes = Math.max(idleLanes, Object.keys(after.lanes).length - lanesOf(after).length);
  }

  return {
    wrong,
    get unfairness() {
      return unfairness;
    },
    get idleLanes() {
      return idleLanes;
    },
    audit(_owner, before, after, grants) {
      judgeOrder(after, before, grants);
      judgeTurns(after, before, grants);
    },
    forget() {
      pairs = new Map();
    },
  };
}
