import type {
  Charge,
  Correction,
  QueueNews,
  QueueReply,
  QueueRequest,
  QueueTerms,
  Ticket,
} from "../../../../src/limiter/shared-queue.ts";
import { type Below, pick } from "./random-terms.ts";

/** What owners say in a life: mostly sensible, and now and then anything that can be said. */
export interface RandomRequests {
  readonly lanes: readonly string[];
  lane(): string;
  next(owner: string): QueueRequest;
  /** How far the clock goes before the next request, in microseconds: now and then back. */
  jump(): number;
  learn(owner: string, news: QueueNews | QueueReply): void;
}

const NOTES = ["", "a", "b", "ab", "ä", "\u{1F600}", "\uFF5E", "\uE000/\\\"'\n", "é", "0"];

export function randomRequests(below: Below, terms: QueueTerms, owners: readonly string[]): RandomRequests {
  const all = ["~a~x", "~a~y", "~b~x", "~b~", "~~", "~c:1~GET|/v1", "~a~a"];
  const lanes = all.slice(0, 1 + below(all.length));
  const waiting = new Map<string, Set<number>>(owners.map((owner) => [owner, new Set()]));
  const charges = new Map<string, Charge[]>(owners.map((owner) => [owner, []]));
  let nextAfter = 0;

  const some = <T>(list: readonly T[], most: number): T[] =>
    below(2) === 0
      ? []
      : Array.from({ length: below(most) }, () => pick(below, list)).filter((one) => one !== undefined);
  const anId = () => pick(below, [1 + below(30), 2 ** 48 - 1 - below(30), 1 + Math.floor(below(2 ** 30) * 2 ** 18)]);
  const anyIds = () => [...[...waiting.values()].flatMap((ids) => [...ids]), anId()];
  const aCost = () => pick(below, [1, 1, 1, 1, 2, 3, 0, 1 + below(200)]);

  const aTicket = (): Ticket => ({
    id: anId(),
    lane: pick(below, lanes),
    cost: aCost(),
    offset: pick(below, [0, 0, 0, -1_000_000, 3_000_000, below(2_000_000) - 1_000_000]),
  });
  const aCorrection = (owner: string): Correction => {
    const charge = pick(below, charges.get(owner)!);
    const rule = below(terms.rules.length + 1);
    const receipt = charge?.receipts[rule];
    return {
      rule,
      lane: charge?.lane ?? pick(below, lanes),
      cost: below(9) - 4,
      ...(receipt !== undefined && below(2) === 0 && { receipt }),
    };
  };

  return {
    lanes,
    lane: () => pick(below, lanes),
    jump() {
      const size = pick(below, [0, 0, 1, below(5_000), nextAfter, nextAfter, below(2_000_000), below(100_000_000)]);
      return pick(below, [size, size, size, size, size, size, -size]);
    },
    next(owner) {
      const mine = charges.get(owner)!;
      const leave = some(anyIds(), 3);
      const enter = Array.from({ length: pick(below, [0, 0, 1, 1, 2, 5, 9]) }, aTicket);
      for (const { id } of enter) waiting.get(owner)!.add(id);
      return {
        unused: some(mine, 3),
        ended: some(mine, 3),
        running: some(mine, 3),
        corrections: below(4) === 0 ? [aCorrection(owner)] : [],
        ...(below(15) === 0 && { pause: below(3_000_000) }),
        ...(below(8) === 0 && { cut: pick(below, [0, below(500_000), below(20_000_000)]) }),
        ...(below(8) === 0 && { note: { rank: below(4) / 2, text: pick(below, NOTES) } }),
        leave,
        enter,
        waiting: [...some([...waiting.get(owner)!], 9), ...some([anId()], 2)],
      };
    },
    learn(owner, news) {
      const mine = charges.get(owner)!;
      mine.push(...news.grants);
      charges.set(owner, mine.slice(-12));
      for (const { id } of news.grants) waiting.get(owner)!.delete(id);
      nextAfter = ("nextAfter" in news && news.nextAfter) || news.wakeAfter || nextAfter;
    },
  };
}
