import { slidingWindowTakeLua } from "../../algorithms/sliding-window.take.lua.ts";
import { tokenBucketTakeLua } from "../../algorithms/token-bucket.take.lua.ts";
import type { Ledger } from "../../limiter/store.ts";
import { SLACK } from "./accounts.lua.ts";
import { type Script, scriptOf } from "./script.ts";

/**
 * What nearly all calls are, as a short script for one quota: units for keys that are not blocked. The script of
 * everything does the same, but takes longer to begin and to look things up.
 *
 * KEYS are the names of `n` accounts, each once, then for each ledger of blocks either one key that is there while any of
 * its keys is blocked, or `n` names, of the block of each account. Without ARGV each account has one call of one unit, and
 * the last key is the only one about blocks. ARGV[1] is JSON: `n`; the time in microseconds, or 0 for that of Redis;
 * 1 when there is a block for each account; and for each account how many calls there are, and the cost and the least
 * of each, or nothing when each account has one call of one unit.
 *
 * The reply is a JSON list: the time, and per call that passes the units left, for a bucket the wait until it is as good
 * as new, and where costs were given, the granted units. For one that is refused: -3, the units left, the waits until it
 * could pass (-1: never) and until the account is as good as new. For one that only the script of everything can decide:
 * -2, and nothing was done. Instead of the time, -1: some key is blocked, so name the blocks.
 */
const HEAD = `local call, packBytes, unpackBytes, max = redis.call, struct.pack, struct.unpack, math.max
local keys, n, now, isGuarded, tail, t = KEYS, #KEYS - 1, 0, false, nil, 4
if ARGV[1] then
  tail = cjson.decode(ARGV[1])
  n, now, isGuarded = tail[1], tail[2], tail[3] == 1
  if #tail == 3 then tail = nil end
end
local values = call('MGET', unpack(keys))
for k = n + 1, isGuarded and n or #keys do
  if values[k] then return '[-1]' end
end
if now == 0 then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local reply, r = { now }, 1
`;

/** The end of what is done for each account: writes the state, or says that the account was left alone. */
const writeOrLeave = (bytes: string, ttlMs: number, isShort: boolean): string => `
  if isPlain and isGuarded then
    for k = n + i, #keys, n do
      if values[k] then isPlain = false end
    end
  end
  if isPlain and isDirty then
    local bytes = ${bytes}
    if not value then
      -- MGET says nothing about keys that hold something else than a string: those are not written.
      isPlain = call('SET', keys[i], bytes, 'PX', '${ttlMs}', 'NX')
    elseif not isKept then
      call('SET', keys[i], bytes, 'PX', '${ttlMs}')
    elseif #bytes == #value then
      -- In place, which leaves the end of the key where it is, and is faster than KEEPTTL.
      call('SETRANGE', keys[i], '0', bytes)
    else
      call('SET', keys[i], bytes, 'KEEPTTL')
    end${isShort ? COMPACT : ""}
  end
  if not isPlain then
    for k = begin + 1, begin + count do reply[k] = -2 end
    r = begin + count
  end
end
if r == 2 then return string.format('[%d,%d]', now, reply[2]) end
return string.format('[%d' .. string.rep(',%d', r - 1) .. ']', unpack(reply, 1, r))`;

/**
 * A script's SET keeps the very object that the argument came in, and Redis has a store of such for reuse that are larger
 * than a short text needs. Written once more in place it is a text of its own, and 16 bytes smaller.
 */
const COMPACT = `
    if isPlain and not isKept then call('SETRANGE', keys[i], '0', bytes) end`;

/** How plain takes from a ledger are done. */
export interface PlainTerms {
  readonly script: Script;
  /** Time until an account is as good as new that was charged now, where that is always the same; else it is told. */
  readonly resetAfter: number | undefined;
  /** What undoes a charge at `now`. */
  receipt(now: number, resetAfter: number): number;
}

export interface PlainScriptsOptions {
  /** How much longer than needed a key is kept, in milliseconds. */
  readonly lingerMs: number;
  /** Otherwise the end of a key is moved each time, for Redis ends keys by its own time. */
  readonly isTimeOfRedis: boolean;
}

/** Beyond this a quota is for the script of everything. */
const MOST = 2 ** 50;
/** Redis may keep each script for as long as it runs, so there are not more than this. */
const MOST_SCRIPTS = 100;

/** Finds how plain takes from a ledger are done: undefined where only the script of everything knows. */
export function plainScripts(options: PlainScriptsOptions): (ledger: Ledger) => PlainTerms | undefined {
  const known = new WeakMap<Ledger, PlainTerms | null>();
  const texts = new Set<string>();
  return (ledger) => {
    let terms = known.get(ledger);
    if (terms === undefined) {
      terms = plainTerms(ledger, options) ?? null;
      if (terms !== null && texts.size < MOST_SCRIPTS) texts.add(terms.script.text);
      if (terms !== null && !texts.has(terms.script.text)) terms = null;
      known.set(ledger, terms);
    }
    return terms ?? undefined;
  };
}

function plainTerms(
  { algorithm: { name, carries, params } }: Ledger,
  { lingerMs, isTimeOfRedis }: PlainScriptsOptions,
): PlainTerms | undefined {
  if (carries || params.some((param) => typeof param !== "number" || param > MOST)) return undefined;
  const [first = 0, second = 0, third = 0] = params as readonly number[];
  const isWindow = name === "sliding-window";
  const isBucket = name === "token-bucket" && second * third <= MOST;
  if (!isWindow && !isBucket) return undefined;
  const life = isWindow ? second : Math.ceil((second * third) / first);
  const slack = isTimeOfRedis ? Math.ceil(life / SLACK) : 0;
  const ttlMs = Math.ceil((life + 2 * slack) / 1000) + lingerMs;
  const lua = (isWindow ? slidingWindowTakeLua : tokenBucketTakeLua)([first, second, third], slack);
  return {
    script: scriptOf(HEAD + lua.decide + writeOrLeave(lua.bytes, ttlMs, isBucket)),
    resetAfter: isWindow ? life : undefined,
    receipt: isWindow ? (now) => now : (now, resetAfter) => now + resetAfter,
  };
}
