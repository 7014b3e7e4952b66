import { Mode } from "../algorithms/algorithm.ts";
import { block } from "../algorithms/block.ts";
import { concurrency } from "../algorithms/concurrency.ts";
import { fixedWindow } from "../algorithms/fixed-window.ts";
import { slidingWindow } from "../algorithms/sliding-window.ts";
import { tokenBucket } from "../algorithms/token-bucket.ts";
import { type Demand, ledger, type TakeOptions } from "../limiter/store.ts";

/** One ledger of each kind, all of them busy within seconds. */
const LEDGERS = [
  ledger("bucket", tokenBucket({ limit: 7, periodMs: 1_000, burst: 5 })),
  ledger("exact", slidingWindow({ limit: 3, periodMs: 1_000 })),
  ledger("coarse", slidingWindow({ limit: 40, periodMs: 1_000, granules: 3 })),
  ledger("window", fixedWindow({ limit: 4, periodMs: 2_000 })),
  ledger("hour", fixedWindow({ limit: 9, calendar: "hour" })),
  ledger("places", concurrency({ limit: 3, leaseMs: 1_000 })),
  ledger("blocked", block),
  // Numbers that a deploy has changed, while some processes still have the old ones.
  ledger("carried", tokenBucket({ limit: 7, periodMs: 1_000, burst: 5 }), "carry"),
  ledger("carried", tokenBucket({ limit: 3, periodMs: 700, burst: 9 }), "carry"),
  ledger("carried", slidingWindow({ limit: 3, periodMs: 1_000 }), "carry"),
  ledger("carried", slidingWindow({ limit: 40, periodMs: 1_500, granules: 3 }), "carry"),
  ledger("carried", fixedWindow({ limit: 4, periodMs: 2_000 }), "carry"),
  ledger("carried", fixedWindow({ limit: 6, periodMs: 500 }), "carry"),
  ledger("carried", concurrency({ limit: 3, leaseMs: 1_000 }), "carry"),
  ledger("carried", concurrency({ limit: 5, leaseMs: 300 }), "carry"),
];
const KEYS = ["a", "b", "__proto__"];

/** The last receipt of each ledger. */
export type Receipts = Map<string, number>;

/** A random take: one to four demands, often on the same accounts, in every mode, for those ahead too. */
export function nextTake(
  random: () => number,
  receipts: Receipts,
): { readonly demands: readonly Demand[]; readonly options: TakeOptions } {
  const below = (end: number) => Math.floor(random() * end);
  const demands = Array.from({ length: 1 + below(4) }, () => aDemand(below, receipts));
  if (random() < 0.25) demands.push({ ...demands[0]!, cost: below(3) });
  const isRated = demands.every(({ ledger: { algorithm } }) => algorithm.name !== "concurrency");
  if (isRated && random() < 0.15) {
    return { demands, options: { mode: Mode.peek, ahead: Array.from({ length: 1 + below(4) }, () => below(3)) } };
  }
  const mode = [Mode.take, Mode.take, Mode.take, Mode.peek, Mode.force][below(5)]!;
  return { demands, options: { mode } };
}

function aDemand(below: (end: number) => number, receipts: Receipts): Demand {
  const account = LEDGERS[below(LEDGERS.length)]!;
  const demand = {
    ledger: account,
    key: KEYS[below(KEYS.length)]!,
    cost: [1, 1, 2, 3, below(9), 0, -1, -below(4)][below(8)]!,
  };
  if (account.algorithm.name === "concurrency") return { ...demand, receipt: 1 + below(5) };
  if (demand.cost > 0 && below(4) === 0) return { ...demand, least: 1 + below(demand.cost) };
  const receipt = receipts.get(account.space);
  return demand.cost < 0 && receipt !== undefined && below(2) === 0 ? { ...demand, receipt } : demand;
}
