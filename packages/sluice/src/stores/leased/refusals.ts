/** Nothing is refused from memory for longer: units may come back at the store before it said so. In microseconds. */
const LONGEST = 1_000_000;
/** Costs that are remembered: more would be searched for longer than asking takes. */
const MOST = 8;

interface Refusal {
  readonly cost: number;
  /** The store is not asked before. */
  readonly until: number;
  /** When the store could meet the cost. */
  readonly retryAt: number;
}

/** What the store has refused to an account lately, by cost: a refusal of 5 does not refuse 1. */
export class Refusals {
  #known: Refusal[] = [];

  /**
   * @param now when the answer came, in microseconds of this process
   * @param retryAfter what the store said
   * @param pace the store is not asked again sooner
   * @returns when to retry, in microseconds from now
   */
  add(cost: number, now: number, retryAfter: number, pace: number): number {
    const promised =
      this.#known.find((one) => one.cost === cost && one.retryAt >= now + retryAfter)?.retryAt ?? Infinity;
    // Whoever was told a moment before, and comes then, is not put off once more.
    const until = Math.min(promised, now + Math.max(Math.min(retryAfter, LONGEST), pace));
    const refusal = { cost, until, retryAt: Math.max(now + retryAfter, until) };
    this.#known = [refusal, ...this.#known.filter((one) => one.cost !== cost && one.retryAt > now)].slice(0, MOST);
    return refusal.retryAt - now;
  }

  /** When a cost that is refused as yet could be met; undefined when that is not known, and the store has to be asked. */
  retryAt(cost: number, now: number): number | undefined {
    if (this.#known.length === 0) return undefined;
    let isRefused = false;
    let retryAt: number | undefined;
    for (const one of this.#known) {
      if (one.cost <= cost && now < one.until) isRefused = true;
      if (one.cost >= cost && one.retryAt > now) retryAt = Math.min(retryAt ?? Infinity, one.retryAt);
    }
    return isRefused ? retryAt : undefined;
  }

  clear(): void {
    if (this.#known.length > 0) this.#known = [];
  }
}
