import type { PendingTake, PlainRequest } from "./plain-take.ts";

/** What the short script says instead of the time. */
const NAME_BLOCKS = -1;
/** What it says instead of the units that are left. */
const LEFT_ALONE = -2;
const REFUSED = -3;

/**
 * Tells each take of a request what the short script has decided. Returns those that it has left alone, or undefined
 * when it has decided nothing, because it must know of the block of each key.
 */
export function deliverTakes({ order, hasCosts }: PlainRequest, text: unknown): readonly PendingTake[] | undefined {
  const reply = JSON.parse(String(text)) as readonly number[];
  const now = reply[0]!;
  if (now === NAME_BLOCKS) return undefined;
  const left: PendingTake[] = [];
  const answer = { allowed: true, remaining: 0, retryAfter: 0, resetAfter: 0, receipt: 0 };
  let at = 1;
  for (const pending of order) {
    const { terms, least } = pending.take;
    let remaining = reply[at++]!;
    if (remaining === LEFT_ALONE) {
      left.push(pending);
      continue;
    }
    const allowed = remaining !== REFUSED;
    let retryAfter = 0;
    let resetAfter = terms.resetAfter ?? 0;
    let granted = 0;
    if (allowed) {
      if (terms.resetAfter === undefined) resetAfter = reply[at++]!;
      if (hasCosts) granted = reply[at++]!;
    } else {
      remaining = reply[at++]!;
      retryAfter = reply[at++]!;
      if (retryAfter < 0) retryAfter = Infinity;
      resetAfter = reply[at++]!;
    }
    answer.allowed = allowed;
    answer.remaining = remaining;
    answer.retryAfter = retryAfter;
    answer.resetAfter = resetAfter;
    answer.receipt = terms.receipt(now, resetAfter);
    pending.settle(least === undefined ? answer : { ...answer, granted });
  }
  return left;
}
