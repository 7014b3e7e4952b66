import { slidingWindowTakeLua, slidingWindowTakeTerms } from "../../algorithms/sliding-window.take.lua.ts";
import { tokenBucketTakeLua } from "../../algorithms/token-bucket.take.lua.ts";
import type { Ledger } from "../../limiter/store.ts";
import { type Script, SLACK, scriptOf } from "./script.ts";

/**
 * What nearly all calls are, as a short script: units of one quota, for keys that are not blocked. The script of
 * everything does the same, but takes longer to begin and to look things up.
 *
 * KEYS are the names of `n` accounts, each once, then for each ledger of blocks either one key that is there while any of
 * its keys is blocked, or `n` names, of the block of each account. ARGV is the time in microseconds, or 0 for that of
 * Redis; `n`; 1 when there is a block for each account; a JSON list with, for each account, how many calls there are, and the cost and the least
 * of each, or nothing when each account has one call of one unit; and the terms of the algorithm.
 *
 * The reply is the time, and per call that passes the units left, for a bucket the wait until it is as good as new, and
 * where costs were given, the granted units. For one that is refused: -3, the units left, the waits until it could pass
 * (-1: never) and until the account is as good as new. For one that only the script of everything can decide: -2, and
 * nothing was done. Instead of the time, -1: some key is blocked, so name the blocks.
 */
const HEAD = `local call, packBytes, unpackBytes = redis.call, struct.pack, struct.unpack
local sub, byte, format = string.sub, string.byte, string.format
local floor, ceil, max, min, huge = math.floor, math.ceil, math.max, math.min, math.huge
local now, n, isGuarded, tail, t = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1', nil, 1
local values = call('MGET', unpack(KEYS))
for k = n + 1, isGuarded and n or #KEYS do
  if values[k] then return { -1 } end
end
if ARGV[4] ~= '' then tail = cjson.decode(ARGV[4]) end
if now == 0 then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local reply, r = { now }, 1

local function isBlocked(i)
  for k = n + i, #KEYS, n do
    if values[k] then return true end
  end
  return false
end

-- MGET says nothing about keys that hold something else than a string: those are not written.
local function write(i, bytes, ttl)
  if not ttl then return call('SET', KEYS[i], bytes, 'KEEPTTL') end
  if values[i] then return call('SET', KEYS[i], bytes, 'PX', ttl) end
  return call('SET', KEYS[i], bytes, 'PX', ttl, 'NX')
end

local function leave(begin, r, count)
  for k = begin + 1, r do reply[k] = nil end
  for k = begin + 1, begin + count do reply[k] = -2 end
  return begin + count
end
`;

const slidingWindow = scriptOf(HEAD + slidingWindowTakeLua);
const tokenBucket = scriptOf(HEAD + tokenBucketTakeLua);

/** How plain takes from a ledger are done. */
export interface PlainTerms {
  readonly script: Script;
  /** What the script is told about the ledger. */
  readonly terms: readonly string[];
  /** Time until an account is as good as new that was charged now, where that is always the same; else it is told. */
  readonly resetAfter: number | undefined;
  /** What undoes a charge at `now`. */
  receipt(now: number, resetAfter: number): number;
}

/** Clients misread integers of a reply that are close to 2^53. */
const MOST = 2 ** 50;

/**
 * Undefined for a ledger that only the script of everything knows.
 *
 * @param isTimeOfRedis otherwise the end of a key is moved each time, for Redis ends keys by its own time
 */
export function plainTerms({ algorithm }: Ledger, lingerMs: number, isTimeOfRedis: boolean): PlainTerms | undefined {
  const { name, carries, params } = algorithm;
  if (carries || params.some((param) => typeof param !== "number" || param > MOST)) return undefined;
  const [first = 0, second = 0, third = 0] = params as readonly number[];
  if (name === "sliding-window") {
    const slack = isTimeOfRedis ? Math.ceil(second / SLACK) : 0;
    const terms = slidingWindowTakeTerms([first, second, third], slack, lingerMs);
    return { script: slidingWindow, terms, resetAfter: second, receipt: (now) => now };
  }
  if (name === "token-bucket" && second * third <= MOST) {
    const life = Math.ceil((second * third) / first);
    const slack = isTimeOfRedis ? Math.ceil(life / SLACK) : 0;
    const ttl = Math.ceil((life + 2 * slack) / 1000) + lingerMs;
    const terms = [first, second, third, ttl, slack].map(String);
    return { script: tokenBucket, terms, resetAfter: undefined, receipt: (now, resetAfter) => now + resetAfter };
  }
  return undefined;
}
