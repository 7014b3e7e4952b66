/**
 * The limits of the oracle: how servers count, each in the plainest way. They share nothing with the library,
 * and count in integer nanoseconds, so that no rounding ever decides.
 */
export interface Verdict {
  readonly allowed: boolean;
  /** How many more it would allow now. */
  readonly remaining: number;
  /** How long until it has one more than now, in nanoseconds: after a refusal, until it allows again. */
  readonly nextNs: bigint;
}

/** Decides about a request that arrives now, in nanoseconds of a clock that never goes back. */
export type Judge = (at: bigint) => Verdict;

export interface PolicyOptions {
  readonly limit: number;
  readonly periodMs: number;
  /** `bucket` and `gcra`: how many at once. @default limit */
  readonly burst?: number | undefined;
  /** `fixed`: when a window begins, counted on the same clock as the arrivals, in milliseconds. @default 0 */
  readonly offsetMs?: number | undefined;
}

export const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms * 1e6));

/** Never more than `limit` in any period: remembers each one. */
function sliding({ limit, periodMs }: PolicyOptions): Judge {
  const period = nanoseconds(periodMs);
  let log: bigint[] = [];
  return (at) => {
    log = log.filter((earlier) => at - earlier < period);
    const allowed = log.length < limit;
    if (allowed) log.push(at);
    return { allowed, remaining: limit - log.length, nextNs: log[0]! + period - at };
  };
}

/** Never more than `limit` between two edges that are a period apart. */
function fixed({ limit, periodMs, offsetMs = 0 }: PolicyOptions): Judge {
  const period = nanoseconds(periodMs);
  const offset = nanoseconds(offsetMs) % period;
  let begin = -period;
  let count = 0;
  return (at) => {
    const current = at - ((at - offset + period) % period);
    if (current !== begin) [begin, count] = [current, 0];
    const allowed = count < limit;
    if (allowed) count++;
    return { allowed, remaining: limit - count, nextNs: begin + period - at };
  };
}

/** A bucket of `burst` tokens, full at first, into which `limit` drip per period. Parts of a token: one is `period` of them. */
function bucket({ limit, periodMs, burst = limit }: PolicyOptions): Judge {
  const period = nanoseconds(periodMs);
  const rate = BigInt(limit);
  const full = BigInt(burst) * period;
  let parts = full;
  let last: bigint | undefined;
  return (at) => {
    parts += (at - (last ?? at)) * rate;
    if (parts > full) parts = full;
    last = at;
    const allowed = parts >= period;
    if (allowed) parts -= period;
    const missing = period - (parts % period);
    return { allowed, remaining: Number(parts / period), nextNs: dividedUp(missing, rate) };
  };
}

/** One per `period / limit`, up to `burst` of them early. Times `limit`, so that the interval is an integer. */
function gcra({ limit, periodMs, burst = limit }: PolicyOptions): Judge {
  const rate = BigInt(limit);
  const interval = nanoseconds(periodMs);
  const tolerance = BigInt(burst) * interval;
  let theoretical = 0n;
  return (at) => {
    const now = at * rate;
    if (theoretical < now) theoretical = now;
    const allowed = theoretical + interval - now <= tolerance;
    if (allowed) theoretical += interval;
    const room = tolerance - (theoretical - now);
    return { allowed, remaining: Number(room / interval), nextNs: dividedUp(interval - (room % interval), rate) };
  };
}

const dividedUp = (numerator: bigint, denominator: bigint): bigint => (numerator + denominator - 1n) / denominator;

export const policies = { sliding, fixed, bucket, gcra } satisfies Record<string, (options: PolicyOptions) => Judge>;

export type PolicyName = keyof typeof policies;
