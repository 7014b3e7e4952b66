import type { StatedLimit } from "./statement.ts";
import { type AnsweredCall, type UsageTrack, usageTrack } from "./usage-track.ts";

/** What follows from one limit that a response states. */
interface NoticedUsage {
  readonly stated: StatedLimit;
  /** Units that others used, noticed now: each is reported once. */
  readonly foreign: number;
}

/** How much of the limits of a server is used, by this program and by others with the same key. */
export interface UsageModel {
  /** Notes that a call goes out; answers its place in the order, to be given back once: to `heard` or to `lost`. */
  sent(cost: number, nowMs: number): number;
  /** Notes what the response to a call states; one answer for each limit, in their order. All limits count what `sent` counts. */
  heard(sequence: number, limits: readonly StatedLimit[], nowMs: number): readonly NoticedUsage[];
  /** Notes that a call ended without a response. */
  lost(sequence: number, nowMs: number): void;
  /**
   * Units that may go out now under a limit that was stated; undefined when it was never stated, or when its reset
   * (without one, its window) has passed since.
   */
  allowed(limit: StatedLimit, nowMs: number): number | undefined;
}

/** Limits of one server that are followed. Their names come from the server: it may not fill the memory. */
const MAX_TRACKS = 1000;

/**
 * A model of the limits behind an API, from what its responses state. Times are monotonic milliseconds.
 *
 * It promises, for fixed and sliding windows and buckets, whatever the delays and the order of arrival:
 *
 * - the sum of `foreign` never exceeds what others used, in total;
 * - `allowed` is at most what the server has left, less our units that are on the way to it, plus what others used
 *   since the last call was counted whose response stated it.
 *
 * Both lean to the safe side by what is in flight, and catch up when it has been heard. Not noticed in `foreign`, though
 * in `allowed`: what others use between a reset and our first call after it, where no window is stated. Both need to
 * know of all calls of this program: the units of other processes with the same key are foreign to the model. And a
 * call that was lost is taken to have been counted before calls that are sent later.
 */
export function createUsageModel(): UsageModel {
  const own = { next: 0, sent: 0, settled: 0 };
  const inFlight = new Map<number, AnsweredCall>();
  const tracks = new Map<string, UsageTrack>();

  return {
    sent(cost, nowMs) {
      const sequence = own.next++;
      inFlight.set(sequence, { sequence, cost, sentMs: nowMs, settledBefore: own.settled });
      own.sent += cost;
      return sequence;
    },
    heard(sequence, limits, nowMs) {
      const call = inFlight.get(sequence);
      if (call === undefined) return limits.map((stated) => ({ stated, foreign: 0 }));
      const heard = limits.map((stated) => (hasRemaining(stated) ? trackOf(stated, nowMs) : undefined));
      settle(call, new Set(heard), nowMs);
      return limits.map((stated, i) => {
        const foreign = hasRemaining(stated) ? heard[i]?.heard(call, stated, nowMs) : undefined;
        return { stated, foreign: foreign ?? 0 };
      });
    },
    lost(sequence, nowMs) {
      const call = inFlight.get(sequence);
      if (call !== undefined) settle(call, new Set(), nowMs);
    },
    allowed: (limit, nowMs) => tracks.get(keyOf(limit))?.allowed(nowMs),
  };

  function settle(call: AnsweredCall, stating: ReadonlySet<UsageTrack | undefined>, nowMs: number): void {
    inFlight.delete(call.sequence);
    own.settled += call.cost;
    for (const track of tracks.values()) track.settled(call.cost, !stating.has(track), nowMs);
  }

  function trackOf(stated: StatedLimit, nowMs: number): UsageTrack | undefined {
    const key = keyOf(stated);
    const known = tracks.get(key);
    if (known !== undefined) return known;
    if (tracks.size >= MAX_TRACKS) {
      for (const [name, track] of tracks) if (track.isOutdated(nowMs)) tracks.delete(name);
      if (tracks.size >= MAX_TRACKS) return undefined;
    }
    const track = usageTrack(own);
    tracks.set(key, track);
    return track;
  }
}

type LimitWithRemaining = StatedLimit & { readonly remaining: number };
const hasRemaining = (stated: StatedLimit): stated is LimitWithRemaining => stated.remaining !== undefined;

/** A limit is known by its name, and one without a name by its window. */
const keyOf = ({ name, partition, windowMs }: StatedLimit): string =>
  JSON.stringify(name === undefined ? ["", partition, windowMs] : [name, partition]);
