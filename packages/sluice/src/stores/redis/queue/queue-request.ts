import { shown } from "../../../algorithms/numbers.ts";
import type { Holder, QueueRequest } from "../../../limiter/shared-queue.ts";
import { isPlain } from "../key-names.ts";

/** Lanes, and their parts, are names of accounts as they are: the script cannot write them otherwise. */
const LANE = /^~[^~]*~[^~]*$/;

/**
 * A request in the words of the script: the time in microseconds or 0 for that of Redis, the owner, and what he asks.
 *
 * @throws RangeError for a lane that cannot stand in names.
 */
export function requestText(now: number, owner: string, request: QueueRequest): string {
  const { unused = [], ended = [], running = [], corrections = [], pause, cut, note } = request;
  const { leave = [], enter = [], waiting = [] } = request;
  return JSON.stringify([
    now,
    owner,
    [
      unused.map((charge) => [...held(charge), charge.receipts]),
      ended.map(held),
      running.map(held),
      corrections.map(({ rule, lane, cost, receipt = 0 }) => [rule + 1, named(lane), cost, receipt]),
      pause ?? false,
      cut ?? false,
      note?.rank ?? false,
      note === undefined ? false : wellFormed(note.text),
      leave,
      enter.map(({ id, lane, cost, offset }) => [id, named(lane), cost, offset]),
      waiting,
    ],
  ]);
}

/** Halves of characters would be no JSON for Redis. */
const wellFormed = (text: string): string => Buffer.from(text).toString();

const held = ({ id, lane, cost }: Holder) => [id, named(lane), cost];

function named(lane: string): string {
  if (LANE.test(lane) && isPlain(lane)) return lane;
  throw new RangeError(
    `A lane of a queue in Redis is "~group~rest", at most 64 printable characters of ASCII without spaces and braces, but it is ${shown(lane)}.`,
  );
}
