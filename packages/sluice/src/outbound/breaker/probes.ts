/** A call that may go through while the breaker is half-open, to find out whether the upstream is back. */
interface Probe {
  readonly pass: true;
  readonly generation: number;
  readonly isProbe: true;
}

/**
 * The probes under way. A place is held for `leaseMs` at most: a probe that never ends does not keep it. What becomes
 * of such a probe still counts when it ends after all; upstreams that are slow would never be found well otherwise.
 */
export interface Probes {
  /** How many hold a place. */
  count(nowMs: number): number;
  start(generation: number, nowMs: number): Probe;
  /** A probe ended, and gives its place back. `false`: it had ended before, or is not ours. */
  end(probe: object): boolean;
  /** When the next place is free at the latest. */
  freeAtMs(): number;
  /** Give all places back. */
  clear(): void;
}

export function createProbes(leaseMs: number): Probes {
  /** When each lease ends, in the order of their starts: the first one ends first. */
  const held = new Map<object, number>();
  /** Those that started and did not end, without keeping them alive. */
  const open = new WeakSet<object>();

  return {
    count(nowMs) {
      for (const [probe, endMs] of held) {
        if (endMs > nowMs) break;
        held.delete(probe);
      }
      return held.size;
    },
    start(generation, nowMs) {
      const probe: Probe = { pass: true, generation, isProbe: true };
      held.set(probe, nowMs + leaseMs);
      open.add(probe);
      return probe;
    },
    end(probe) {
      held.delete(probe);
      return open.delete(probe);
    },
    freeAtMs() {
      const [first] = held.values();
      return first ?? -Infinity;
    },
    clear() {
      held.clear();
    },
  };
}
