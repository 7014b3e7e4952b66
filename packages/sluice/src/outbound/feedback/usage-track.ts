import type { StatedLimit } from "./statement.ts";
import { type TrailingSum, trailingSum } from "./trailing-sum.ts";

/** The units that this program sent, all told. Those that are not settled are on their way. */
export interface OwnUnits {
  /** The place that the next call gets. */
  readonly next: number;
  readonly sent: number;
  readonly settled: number;
}

/** A call that has been answered. */
export interface AnsweredCall {
  readonly sequence: number;
  readonly cost: number;
  readonly sentMs: number;
  /** Units that were settled when it was sent: the server had surely counted those before it. */
  readonly settledBefore: number;
}

/** What is known of one limit of a server. */
export interface UsageTrack {
  /** @returns units that others used and that were not reported before. */
  heard(call: AnsweredCall, stated: StatedLimit & { readonly remaining: number }, nowMs: number): number;
  /** A call is over; `isSilent`: nobody said what this limit had left when the call was counted. */
  settled(cost: number, isSilent: boolean, nowMs: number): void;
  /** Units that may be sent now, or undefined when what was said is outdated. */
  allowed(nowMs: number): number | undefined;
  readonly isOutdated: (nowMs: number) => boolean;
}

interface Trails {
  readonly windowMs: number;
  readonly own: TrailingSum;
  readonly reported: TrailingSum;
}

/**
 * Follows one limit from statement to statement. It uses only what holds for every kind of window and every order of
 * arrival: a call that was sent after another had been answered was counted after it; and what a server had left falls
 * by what it counted, and rises by itself.
 */
export function usageTrack(own: OwnUnits): UsageTrack {
  // What is left: the lowest statement of those that may be the last.
  let remaining = Infinity;
  let remainingMark = 0;
  let othersSince = Infinity;
  let outdatedAtMs = -Infinity;
  // Calls that ended without a statement, in two generations: a later call tells that they are counted.
  let older = { units: 0, mark: 0 };
  let newer = { units: 0, mark: 0 };
  // What others used. `potential`: units left at some moment, plus our own units that were surely counted by then.
  let potential: number | undefined;
  let potentialMark = 0;
  let reportMark = 0;
  let reported = 0;
  let limit: number | undefined;
  let trails: Trails | undefined;

  return {
    heard(call, stated, nowMs) {
      const isFirst = remaining === Infinity;
      noteCounted(call.sequence);
      // Of what ended while the first call was on its way, nobody knows whether it was counted before.
      if (isFirst) newer = { units: own.settled - call.settledBefore - call.cost, mark: own.next };
      noteRemaining(call.sequence, stated, nowMs);
      noteLimit(stated, isFirst, nowMs);
      const foreign = Math.max(0, sinceAnchor(call, stated.remaining), inWindow(call, stated, nowMs));
      if (foreign > 0) {
        if (potential !== undefined) potential -= foreign;
        reported += foreign;
        trails?.reported.add(foreign, nowMs);
        reportMark = own.next;
      }
      noteAnchor(call, stated.remaining);
      return foreign;
    },
    settled(cost, isSilent, nowMs) {
      trails?.own.add(cost, nowMs);
      if (isSilent) newer = { units: newer.units + cost, mark: own.next };
    },
    allowed(nowMs) {
      if (nowMs >= outdatedAtMs) return undefined;
      return Math.max(0, remaining - (own.sent - own.settled) - older.units - newer.units);
    },
    isOutdated: (nowMs) => nowMs >= outdatedAtMs,
  };

  function noteCounted(sequence: number): void {
    if (sequence < older.mark) return;
    older = sequence < newer.mark ? newer : { units: 0, mark: 0 };
    newer = { units: 0, mark: 0 };
  }

  /**
   * A lower number counts at once. A higher one counts only if its call was sent after the lowest had been heard: then
   * units have come back, and the statements heard in between may still be the later ones.
   */
  function noteRemaining(sequence: number, stated: StatedLimit & { readonly remaining: number }, nowMs: number): void {
    const { resetAfterMs, windowMs } = stated;
    if (stated.remaining > remaining && sequence < remainingMark) {
      othersSince = Math.min(othersSince, stated.remaining);
      return;
    }
    remaining = stated.remaining > remaining ? Math.min(stated.remaining, othersSince) : stated.remaining;
    othersSince = Infinity;
    remainingMark = own.next;
    outdatedAtMs = nowMs + (resetAfterMs ?? windowMs ?? 0);
  }

  /** Before our first call the server had counted nothing of ours. A limit that changes is not use: begin anew. */
  function noteLimit(stated: StatedLimit, isFirst: boolean, nowMs: number): void {
    if (isFirst) potential = stated.limit;
    else if (limit !== undefined && stated.limit !== undefined && limit !== stated.limit) potential = undefined;
    limit = stated.limit ?? limit;
    const { windowMs } = stated;
    if (windowMs === undefined || windowMs === trails?.windowMs) return;
    trails = { windowMs, own: trailingSum(windowMs), reported: trailingSum(windowMs) };
    trails.own.add(own.settled, nowMs);
    trails.reported.add(reported, nowMs);
  }

  /** What the server counted since the anchor, less all of ours that it may have counted. */
  function sinceAnchor({ sequence }: AnsweredCall, left: number): number {
    return potential === undefined || sequence < potentialMark ? 0 : potential - (left + own.sent);
  }

  /** What the server has counted in its window, less all of ours that may be in it, and less what was reported of it. */
  function inWindow(
    { sentMs }: AnsweredCall,
    stated: StatedLimit & { readonly remaining: number },
    nowMs: number,
  ): number {
    const { limit, remaining: left, windowMs } = stated;
    // A response that took longer than the window asks about times that are forgotten.
    if (limit === undefined || windowMs === undefined || trails === undefined || nowMs - sentMs > windowMs) return 0;
    const from = sentMs - windowMs;
    const ours = trails.own.since(from) + (own.sent - own.settled);
    return limit - left - ours - trails.reported.since(from);
  }

  /** The anchor is where others show most: after a reset it is the first call of the new window. */
  function noteAnchor({ sequence, cost, settledBefore }: AnsweredCall, left: number): void {
    const candidate = left + settledBefore + cost;
    if (sequence < reportMark || (potential !== undefined && candidate <= potential)) return;
    potential = candidate;
    potentialMark = own.next;
  }
}
