import { block } from "../../../src/algorithms/block.ts";
import { concurrency } from "../../../src/algorithms/concurrency.ts";
import { slidingWindow } from "../../../src/algorithms/sliding-window.ts";
import type {
  QueueNews,
  QueueReply,
  QueueRequest,
  QueueRule,
  QueueTerms,
  Ticket,
} from "../../../src/limiter/shared-queue.ts";
import { modelStore } from "./model-store.ts";

/** One limit: so many units in a second, of the grace of 50 ms included. */
export const window = (limit: number, per: QueueRule["per"] = "queue"): QueueRule => ({
  ledger: { space: `window-${per}-${limit}`, algorithm: slidingWindow({ limit, periodMs: 1050 }) },
  per,
  unit: "cost",
  isPlace: false,
  endsWithWindow: false,
});

/** So many calls at once. */
export const places = (limit: number, per: QueueRule["per"] = "queue"): QueueRule => ({
  ledger: { space: `places-${per}`, algorithm: concurrency({ limit, leaseMs: 60_000 }) },
  per,
  unit: "call",
  isPlace: true,
  endsWithWindow: false,
});

export const idsOf = ({ grants }: Pick<QueueReply, "grants">): number[] => grants.map(({ id }) => id);

/** A queue whose time is in the hands of the test: `at` counts milliseconds. */
export function desk(rules: readonly QueueRule[] = [window(2)], terms: Partial<QueueTerms> = {}) {
  let now = 0;
  const told: (QueueNews & { readonly owner: string })[] = [];
  const all: QueueTerms = {
    name: "upstream",
    pause: { space: "pause", algorithm: block },
    rules,
    grace: 50_000,
    ownerLife: 10_000_000,
    pace: [],
    interval: 500_000,
    recovery: 1_000_000,
    ...terms,
  };
  const store = modelStore({
    terms: all,
    elapsed: () => now,
    tell: (owner, news) => told.push({ owner, ...news }),
    audit: () => {},
  });
  return {
    store,
    /** What owners were told since this was called last. */
    news: () => told.splice(0),
    ask(atMs: number, owner: string, request: QueueRequest = {}) {
      now = Math.round(atMs * 1000);
      return store.exchange(owner, request);
    },
  };
}

export const ticket = (id: number, more: Partial<Ticket> = {}): Ticket => ({
  id,
  lane: "~a~x",
  cost: 1,
  offset: 0,
  ...more,
});

export const tickets = (...ids: readonly number[]): Ticket[] => ids.map((id) => ticket(id));
