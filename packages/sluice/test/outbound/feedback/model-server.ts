import type { StatedLimit } from "sluice/outbound";

/** A kind of limit, and what it says about its reset: units that come back, or all of them. */
export type Kind = "fixed" | "sliding" | "sliding, whole" | "bucket";

/** A server with one limit in virtual time, as simple as can be. It counts for everybody. */
export function modelServer({ kind, limit, windowMs }: { kind: Kind; limit: number; windowMs: number }) {
  let log: { atMs: number; units: number }[] = [];
  let debt = 0;
  let drainedMs = 0;

  function used(nowMs: number): number {
    if (kind === "bucket") {
      debt = Math.max(0, debt - ((nowMs - drainedMs) * limit) / windowMs);
      drainedMs = nowMs;
      return debt;
    }
    const isCounted = (atMs: number) =>
      kind === "fixed" ? Math.floor(atMs / windowMs) === Math.floor(nowMs / windowMs) : atMs > nowMs - windowMs;
    log = log.filter(({ atMs }) => isCounted(atMs));
    return log.reduce((sum, { units }) => sum + units, 0);
  }

  const left = (nowMs: number) => Math.floor(limit - used(nowMs));

  return {
    left,
    /** Counts units if there is room for them; answers whether there was. */
    take(units: number, nowMs: number): boolean {
      if (left(nowMs) < units) return false;
      log.push({ atMs: nowMs, units });
      debt += units;
      return true;
    },
    state(nowMs: number): StatedLimit & { limit: number; remaining: number; resetAfterMs: number } {
      return { limit, remaining: left(nowMs), resetAfterMs: Math.max(0, Math.ceil(resetMs(nowMs) - nowMs)) };
    },
  };

  function resetMs(nowMs: number): number {
    if (kind === "fixed") return (Math.floor(nowMs / windowMs) + 1) * windowMs;
    if (kind === "bucket") return nowMs + (used(nowMs) * windowMs) / limit;
    return (log.at(kind === "sliding" ? 0 : -1)?.atMs ?? nowMs - windowMs) + windowMs;
  }
}
