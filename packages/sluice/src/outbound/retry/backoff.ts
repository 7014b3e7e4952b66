import { shown } from "../../algorithms/numbers.ts";
import { milliseconds } from "../../limiter/duration.ts";

export interface BackoffOptions {
  /** The longest wait before the second attempt. In milliseconds. @default 200 */
  readonly baseMs?: number;
  /** By how much the longest wait grows with each attempt: at least 1. @default 2 */
  readonly factor?: number;
  /** The longest wait there is, unless the upstream asks for a longer one. In milliseconds. @default 10_000 */
  readonly capMs?: number;
  /** The part of a wait that the upstream asked for which may be added to it, so that not all come at once. @default 0.1 */
  readonly toldJitter?: number;
  /** Numbers from 0 to below 1. @default Math.random */
  readonly random?: () => number;
}

/** What bounds a wait, in milliseconds from now. */
interface WaitBounds {
  /** What the upstream asked for: no wait is shorter. */
  readonly toldMs?: number | undefined;
  /** No wait is longer. */
  readonly atMostMs?: number | undefined;
}

/**
 * The wait before the next attempt when `attempt` attempts (1 or more) were made, in milliseconds.
 * Undefined when the upstream asked for more than may be waited.
 */
export type Backoff = (attempt: number, bounds?: WaitBounds) => number | undefined;

/** Who is asked to wait longer has been told that it is of no use. In milliseconds. */
const NEVER = Number.MAX_SAFE_INTEGER;

/**
 * Exponential back-off with full jitter: any wait from 0 to `min(capMs, baseMs × factor^(attempt-1))` is as likely as
 * any other (Brooker, "Exponential Backoff And Jitter", 2015).
 *
 * What the upstream asked for is obeyed as it is: neither `capMs` nor jitter makes it shorter, however long it is. The
 * wait then lies between `toldMs` and the larger of the bound above and `toldMs × (1 + toldJitter)`. Where that
 * would be too long the jitter has less room, and the wait still ends in time.
 *
 * @throws RangeError for numbers that cannot be.
 */
export function createBackoff(options: BackoffOptions = {}): Backoff {
  const { baseMs = 200, factor = 2, capMs = 10_000, toldJitter = 0.1, random = Math.random } = options;
  milliseconds("baseMs", baseMs, 0);
  milliseconds("capMs", capMs, baseMs);
  if (capMs === Infinity) throw new RangeError("capMs must be finite: a wait without a bound never ends.");
  if (!(factor >= 1)) throw new RangeError(`factor must be a number of at least 1, but it is ${shown(factor)}.`);
  if (!(toldJitter >= 0 && toldJitter <= 1)) {
    throw new RangeError(`toldJitter must be a number from 0 to 1, but it is ${shown(toldJitter)}.`);
  }

  return (attempt, { toldMs, atMostMs = Infinity } = {}) => {
    // What is not a time was not told: NaN must not become a wait of 0.
    const least = toldMs !== undefined && toldMs > 0 ? toldMs : 0;
    if (!(least <= Math.min(atMostMs, NEVER))) return undefined;
    const ceiling = Math.min(capMs, baseMs * Math.min(factor ** (attempt - 1), Number.MAX_VALUE));
    const most = Math.min(atMostMs, Math.max(ceiling, least * (1 + toldJitter)));
    return least + random() * (most - least);
  };
}
