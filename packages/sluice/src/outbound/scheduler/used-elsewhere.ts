import type { Clock } from "../../limiter/clock.ts";
import type { QueueTerms } from "../../limiter/shared-queue.ts";
import type { Running } from "./starts.ts";

/** Of a limit, so much may differ without telling anything: calls overtake each other on their way, and windows differ. */
const SLACK_PART = 10;
const SLACK_LEAST = 2;

/** Finds units that others used, where several processes use a limit and none knows of all calls. */
export interface UsedElsewhere {
  /** Units to charge, when the upstream said that so many were left of a limit after this call. */
  notice(rule: number, call: Running & { readonly startedAt: number }, left: number): number;
}

/**
 * Compares what the upstream said with what was left when the call was granted. What differs by more than a tenth was
 * used by others. It is charged once: calls that started before the last charge have been answered by it.
 */
export function usedElsewhere({ rules }: QueueTerms, clock: Clock): UsedElsewhere {
  const chargedAt = rules.map(() => -Infinity);
  return {
    notice(i, { started, startedAt }, left) {
      const rule = rules[i];
      const granted = started.left?.[i];
      if (rule === undefined || rule.isPlace || granted === undefined || startedAt <= chargedAt[i]!) return 0;
      const slack = Math.max(SLACK_LEAST, Math.ceil(rule.ledger.algorithm.capacity / SLACK_PART));
      const units = granted - left - slack;
      if (units <= 0) return 0;
      chargedAt[i] = clock.elapsed();
      return units;
    },
  };
}
