export interface EscrowOptions {
  readonly limit: number;
  readonly windowMs: number;
  readonly processes: number;
  readonly forMs: number;
  /** Calls per second, of all processes together. */
  readonly rate: number;
  /** How often a process exchanges headroom with the store, and for how long its share outlives it. */
  readonly leaseMs: number;
  readonly deploysMs?: readonly number[];
  readonly share?: (process: number, ms: number) => number;
}

export interface EscrowRun {
  /** Units used, by second. */
  readonly used: readonly number[];
  readonly checks: number;
  readonly storeCalls: number;
  readonly mostInAnyWindow: number;
}

const STEP_MS = 10;

/**
 * The other sound way, as a model: a process owns a share of the limit, counts its own window, and hands over only
 * headroom that it has not used in the last window. Exact, with nothing to spare for a lease. But what a dead process
 * has used is not known, so its whole share rests for a lease and a window.
 *
 * Kind to itself: no delays, no losses, and everybody's demand is known exactly.
 */
export function escrow(options: EscrowOptions): EscrowRun {
  const { limit, windowMs, processes, forMs, rate, leaseMs, deploysMs = [], share = () => 1 / processes } = options;
  const slots = windowMs / STEP_MS;
  const newcomer = () => ({ share: 0, used: 0, log: new Array<number>(slots).fill(0) });
  let alive = Array.from({ length: processes }, newcomer);
  const resting: { until: number; share: number }[] = [];
  const total: number[] = [];
  const used: number[] = [];
  let pool = limit;
  let checks = 0;
  let storeCalls = 0;
  let inWindow = 0;
  let most = 0;
  const debts = new Array<number>(processes).fill(0);

  for (let step = 0; step * STEP_MS < forMs; step++) {
    const ms = step * STEP_MS;
    if (deploysMs.includes(ms)) {
      for (const one of alive) resting.push({ until: ms + leaseMs + windowMs, share: one.share });
      alive = Array.from({ length: processes }, newcomer);
    }
    while (resting.length > 0 && resting[0]!.until <= ms) pool += resting.shift()!.share;
    let now = 0;
    for (const [i, one] of alive.entries()) {
      const slot = step % slots;
      one.used -= one.log[slot]!;
      one.log[slot] = 0;
      const perStep = (rate * share(i, ms) * STEP_MS) / 1000;
      if ((ms + (i * leaseMs) / processes) % leaseMs < STEP_MS) {
        storeCalls++;
        const expected = Math.ceil((perStep * leaseMs) / STEP_MS);
        const spare = one.share - one.used - expected;
        const moved = spare > 0 ? -spare : Math.min(-spare, pool);
        one.share += moved;
        pool -= moved;
      }
      debts[i]! += perStep;
      const calls = Math.floor(debts[i]!);
      debts[i]! -= calls;
      checks += calls;
      const passed = Math.min(calls, one.share - one.used);
      one.used += passed;
      one.log[slot] = passed;
      now += passed;
    }
    total.push(now);
    inWindow += now - (total[step - slots] ?? 0);
    most = Math.max(most, inWindow);
    const second = Math.floor(ms / 1000);
    used[second] = (used[second] ?? 0) + now;
  }
  return { used, checks, storeCalls, mostInAnyWindow: most };
}
