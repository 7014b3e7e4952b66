import { type Algorithm, concurrency, fixedWindow, slidingWindow, tokenBucket } from "sluice";
import { block } from "../../../../src/algorithms/block.ts";
import type { QueueRule, QueueTerms } from "../../../../src/limiter/shared-queue.ts";
import { ledger } from "../../../../src/limiter/store.ts";

export type Below = (end: number) => number;
export const pick = <T>(below: Below, list: readonly T[]): T => list[below(list.length)]!;

const SECOND = 1_000_000;
const periods = [1, 250, 1_000, 60_000];

/** `Intl` is slow to set up: calendars are shared. */
const calendars = (["hour", "day"] as const).flatMap((calendar) =>
  ["UTC", "Asia/Kathmandu"].map((timeZone) => fixedWindow({ limit: 3, calendar, timeZone })),
);

const makers: readonly ((below: Below) => Algorithm)[] = [
  (below) => slidingWindow({ limit: 1 + below(6), periodMs: pick(below, periods) }),
  (below) => slidingWindow({ limit: 20 + below(100), periodMs: pick(below, periods), granules: pick(below, [3, 100]) }),
  (below) => tokenBucket({ limit: 1 + below(9), periodMs: pick(below, periods), burst: 1 + below(9) }),
  (below) => fixedWindow({ limit: 1 + below(9), periodMs: pick(below, periods) }),
  (below) => pick(below, calendars),
  (below) => concurrency({ limit: 1 + below(4), leaseMs: pick(below, periods) }),
];

/** Terms of any kind: from no rule at all to several that share an account. */
export function randomTerms(below: Below): QueueTerms {
  const rules = Array.from({ length: pick(below, [0, 1, 1, 2, 2, 3, 4]) }, (_, i) => randomRule(below, `rule${i}`));
  if (rules.length > 0 && below(6) === 0) rules.push(rules[0]!);
  return {
    name: pick(below, ["upstream", "an upstream whose name is longer than what stands in names", "a:b"]),
    pause: ledger("pause", block),
    rules,
    grace: pick(below, [0, 20_000, SECOND]),
    ownerLife: pick(below, [2 * SECOND, 30 * SECOND, 3_600 * SECOND]),
    pace: pick(below, [
      [],
      [
        [0, 1_000],
        [500_000, 100_000],
        [900_000, 2_000_000],
      ],
    ]),
    interval: pick(below, [SECOND, 60_000_000 / 7, 333.25]),
    recovery: pick(below, [SECOND, 10 * SECOND]),
  };
}

function randomRule(below: Below, name: string): QueueRule {
  const algorithm = pick(below, makers)(below);
  const isPlace = algorithm.name === "concurrency";
  const whenChanged = below(6) === 0 ? "carry" : "fresh";
  const own = ledger(name, algorithm, whenChanged);
  const [limit] = algorithm.params as readonly number[];
  const longer = concurrency({ limit: isPlace ? limit! : 1, leaseMs: pick(below, periods) });
  return {
    ledger: own,
    per: pick(below, ["queue", "queue", "lane", "group", "rest"]),
    unit: pick(below, ["cost", "call"]),
    isPlace,
    ...(isPlace && below(2) === 0 && { afterEnd: { space: own.space, algorithm: longer } }),
    endsWithWindow: below(3) === 0,
  };
}
