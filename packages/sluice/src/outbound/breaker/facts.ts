/** Closed: all calls pass. Open: none. Half-open: a few, to find out whether the upstream is back. */
export type BreakerPhase = "closed" | "open" | "half-open";

/** What a process tells others of its breaker. Without a time of day: their clocks need not agree. */
export interface BreakerFacts {
  /** Grows by one with every change of the state. */
  readonly generation: number;
  readonly state: BreakerPhase;
  /** How long it stays open, from now in milliseconds. 0 unless it is open. */
  readonly openForMs: number;
}

const RANK: Readonly<Record<BreakerPhase, number>> = { closed: 0, "half-open": 1, open: 2 };

/**
 * What two processes know together: the later generation; of one generation the more careful state; of two open ones
 * the one that ends first. It is a maximum in a total order, so that neither order nor repetition of messages matters.
 *
 * The shorter time wins because a message takes time: what it says ends a little later where it arrives. If the longer
 * time won, an echo would lengthen it, and again, and the breaker would never be half-open.
 */
export function joinFacts(a: BreakerFacts, b: BreakerFacts): BreakerFacts {
  const order = a.generation - b.generation || RANK[a.state] - RANK[b.state] || b.openForMs - a.openForMs;
  return order >= 0 ? a : b;
}

/** Whether a value that came from elsewhere is something to believe. */
export function isFacts(value: Partial<BreakerFacts>): value is BreakerFacts {
  const { generation, state, openForMs } = value;
  return (
    Number.isSafeInteger(generation) &&
    typeof state === "string" &&
    Object.hasOwn(RANK, state) &&
    Number.isFinite(openForMs) &&
    openForMs! >= 0
  );
}
