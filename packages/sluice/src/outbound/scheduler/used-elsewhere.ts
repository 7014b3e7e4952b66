import type { Clock } from "../../limiter/clock.ts";
import type { Grant, QueueTerms } from "../../limiter/shared-queue.ts";
import type { Running } from "./starts.ts";

/** Of a limit, so much may differ without telling anything: calls overtake each other on their way, and windows differ. */
const SLACK_PART = 10;
const SLACK_LEAST = 2;
/** So many grants are remembered at least. */
const MOST_RECENT = 256;

/** Finds units that others used, where several processes use a limit and none knows of all calls. */
export interface UsedElsewhere {
  /** A call was granted, and so many units were left then of each limit; NaN where that is not known. */
  granted(left: readonly number[]): void;
  /** Units to charge, when the upstream said that so many were left of a limit after this call. */
  notice(rule: number, call: Running & { readonly startedAt: number }, left: number): number;
}

/**
 * Compares what the upstream said with the least that was left since the call was granted: calls that were granted later
 * may have arrived before it. What differs by more than a tenth was used by others. It is charged once: calls that started
 * before the last charge have been answered by it.
 */
export function usedElsewhere({ rules }: QueueTerms, clock: Clock): UsedElsewhere {
  const chargedAt = rules.map(() => -Infinity);
  const recent: { readonly at: number; readonly left: readonly number[] }[] = [];
  return {
    granted(left) {
      recent.push({ at: clock.elapsed(), left });
      if (recent.length >= 2 * MOST_RECENT) recent.splice(0, MOST_RECENT);
    },
    notice(i, { started, startedAt }, left) {
      const rule = rules[i];
      const granted = started.left?.[i];
      if (rule === undefined || rule.isPlace || granted === undefined || startedAt <= chargedAt[i]!) return 0;
      const slack = Math.max(SLACK_LEAST, Math.ceil(rule.ledger.algorithm.capacity / SLACK_PART));
      const least = recent.reduce(
        (found, one) => (one.at >= startedAt && one.left[i]! < found ? one.left[i]! : found),
        granted,
      );
      const units = least - left - slack;
      if (!(units > 0)) return 0;
      chargedAt[i] = clock.elapsed();
      return units;
    },
  };
}

/** Units that were left of each limit when a call was granted: known of the one that was nearest to its end. */
export const leftOf = ({ rules }: QueueTerms, { limit, remaining }: Grant): readonly number[] =>
  rules.map(({ ledger }) => (ledger.algorithm.capacity === limit ? remaining : Number.NaN));
