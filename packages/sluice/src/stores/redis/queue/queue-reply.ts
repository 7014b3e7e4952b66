import { FULL_RATE } from "../../../limiter/queue-state.ts";
import type { Grant, QueueNews, QueueReply } from "../../../limiter/shared-queue.ts";

type GrantCells = readonly [
  id: number,
  lane: string,
  cost: number,
  usable: number,
  remaining: number,
  limit: number,
  receipts: readonly number[],
];
type NewsCells = readonly [
  now: number,
  grants: readonly GrantCells[],
  wakeAfter: number,
  rank: number | false,
  text: string | false,
];
/** A reply of the script, as JSON says it: -1 stands for what there is not. */
export type ReplyCells = readonly [
  ...NewsCells,
  missing: readonly number[],
  never: readonly number[],
  length: number,
  ahead: number,
  nextAfter: number,
  rate: number,
];

function newsOf([now, grants, wakeAfter, rank, text]: NewsCells): QueueNews {
  return {
    now,
    grants: grants.map((cells) => grantOf(now, cells)),
    ...(wakeAfter >= 0 && { wakeAfter }),
    ...(rank !== false && text !== false && { note: { rank, text } }),
  };
}

export function replyOf(cells: ReplyCells): QueueReply {
  const [now, grants, wakeAfter, rank, text, missing, never, length, ahead, nextAfter, rate] = cells;
  return {
    ...newsOf([now, grants, wakeAfter, rank, text]),
    missing,
    never,
    length,
    ahead,
    ...(nextAfter >= 0 && { nextAfter }),
    rate: rate / FULL_RATE,
  };
}

/** News as they came through a channel: undefined for what somebody else has sent. */
export function readNews(message: string): QueueNews | undefined {
  try {
    return newsOf(JSON.parse(message) as NewsCells);
  } catch {
    return undefined;
  }
}

function grantOf(at: number, [id, lane, cost, usable, remaining, limit, receipts]: GrantCells): Grant {
  return { id, lane, cost, receipts, at, usable, remaining: remaining < 0 ? Infinity : remaining, limit };
}
