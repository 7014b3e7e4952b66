import { block } from "../../../../src/algorithms/block.ts";
import { concurrency } from "../../../../src/algorithms/concurrency.ts";
import { slidingWindow } from "../../../../src/algorithms/sliding-window.ts";
import type { QueueRule, QueueTerms } from "../../../../src/limiter/shared-queue.ts";

export const LIMIT = 10;
export const PERIOD_MS = 300;
export const HEARTBEAT_MS = 400;

export const windowRule = (limit: number, periodMs: number): QueueRule => ({
  ledger: { space: "window", algorithm: slidingWindow({ limit, periodMs }) },
  per: "queue",
  unit: "cost",
  isPlace: false,
  endsWithWindow: false,
});

export const placeRule: QueueRule = {
  ledger: { space: "places", algorithm: concurrency({ limit: 1, leaseMs: 60_000 }) },
  per: "queue",
  unit: "call",
  isPlace: true,
  endsWithWindow: false,
};

export const termsWith = (rules: readonly QueueRule[], more: Partial<QueueTerms> = {}): QueueTerms => ({
  name: "upstream",
  pause: { space: "pause", algorithm: block },
  rules,
  grace: 100_000,
  ownerLife: 2_000_000,
  pace: [],
  interval: 100_000,
  recovery: 1_000_000,
  ...more,
});

/** Those of the worker. */
export const terms = termsWith([windowRule(LIMIT, PERIOD_MS + 100)]);
