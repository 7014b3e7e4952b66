import { createHash } from "node:crypto";
import { accountsLua, writeAccountsLua } from "./accounts.lua.ts";
import { ledgersLua } from "./ledgers.lua.ts";
import { Sign } from "./sign.ts";
import { twinsLua } from "./twins.lua.ts";

/** What a request asks about each of its decisions. */
export const Ask = { take: 0, force: 1, read: 2, forget: 3 } as const;
export type Ask = (typeof Ask)[keyof typeof Ask];

/**
 * Everything that Redis does for the store, as one script: all decisions of a batch, one after the other, each
 * as `decide` does it. Made of commands and libraries that Redis 6.2 has: TIME, MGET, EXISTS, SET PX, PTTL, DEL,
 * cjson and struct.
 *
 * KEYS are the names of all accounts, each once. ARGV[1] is JSON: the time in microseconds, or 0 for that of
 * Redis; how much longer than needed a key is kept, in milliseconds; the ledgers, each with the number of its
 * algorithm, whether it carries (1 or 0) and what its twin is made of; the number of the ledger of each key; and the decisions as one list
 * of integers: `count * 8 + isExtended * 4 + ask`, then for each demand the number of its key, its cost and, if
 * extended, its receipt and `least` or false. Sixth, for ledgers of blocks that others know of by a marker: the number of
 * the ledger, and the number of the key that is there while any of its keys is blocked.
 *
 * The reply is a JSON list, for clients misread large integers of the protocol. It begins with the time. Per demand follow the units left, the waits until it
 * could pass (-1: never) and until it is as good as new, the receipt as a distance from now, and with `least` the
 * granted units. For what was read: how many cells, and the cells. All numbers are
 * integers, written by %d: by itself Lua writes 14 digits only.
 */
const text = `${twinsLua}
local names = KEYS
local now, linger, ledgers, ledgerOf, asked, markers = unpack(cjson.decode(ARGV[1]))
${ledgersLua}
local bytes, missing = {}, {}
for from = 1, #KEYS, 1000 do
  local to = min(from + 999, #KEYS)
  local found = call('MGET', unpack(KEYS, from, to))
  for i = from, to do
    local value = found[i - from + 1]
    bytes[i] = value
    if not value then missing[#missing + 1] = KEYS[i] end
  end
end
-- MGET says nothing about keys that hold something else than a string.
local isForeign = {}
for from = 1, #missing, 1000 do
  local to = min(from + 999, #missing)
  if call('EXISTS', unpack(missing, from, to)) > 0 then
    for i = from, to do isForeign[missing[i]] = call('EXISTS', missing[i]) == 1 end
  end
end

${accountsLua}
local reply = { format('%d', now) }
local function answer(remaining, retryAfter, resetAfter, receipt)
  reply[#reply + 1] = format('%d,%d,%d,%d', remaining, retryAfter, resetAfter, receipt - now)
end

local function decideOne(force, key, cost, receipt)
  local _, remaining, retryAfter, resetAfter, given = twinOf(key).apply(stateOf(key), cost, force, receipt)
  answer(remaining, retryAfter, resetAfter, given)
end

local function decideAll(force, demands)
  local steps, isMet = chargeAll(force, demands)
  for i, step in ipairs(steps) do
    answer(step.remaining, step.retryAfter, step.resetAfter, step.receipt)
    if demands[i].least then reply[#reply + 1] = format('%d', isMet and step.cost or 0) end
  end
end

-- Whether what is asked about this account is nothing but whether it is blocked, and it is not.
local notBlocked = format('0,0,0,%d', -now)
local function isNotBlocked(key)
  local twin = twinOf(key)
  return twin.isOver and stateOf(key) and twin.isOver(stateOf(key))
end

local at = 1
local function nextDemands(count, isExtended)
  local demands, damaged = {}, nil
  for i = 1, count do
    local key = asked[at]
    demands[i] = { key = key, cost = asked[at + 1], receipt = 0, least = false }
    if isExtended then
      demands[i].receipt, demands[i].least = asked[at + 2], asked[at + 3]
    end
    at = at + (isExtended and 4 or 2)
    if not stateOf(key) then damaged = key end
  end
  return demands, damaged
end

while at <= #asked do
  local head = asked[at]
  local ask, isExtended, count = head % 4, head % 8 >= 4, floor(head / 8)
  at = at + 1
  if count == 1 and ask < 2 and not isExtended and stateOf(asked[at]) then
    decideOne(ask == 1, asked[at], asked[at + 1], 0)
    at = at + 2
  elseif count == 2 and ask == 0 and not isExtended and isNotBlocked(asked[at + 2]) and stateOf(asked[at]) then
    -- By far the most common: one quota of a key that could be blocked. It is decided in place, without copies.
    decideOne(false, asked[at], asked[at + 1], 0)
    reply[#reply + 1] = notBlocked
    at = at + 4
  else
    local demands, damaged = nextDemands(count, isExtended)
    if ask == ${Ask.forget} then
      for _, demand in ipairs(demands) do
        states[demand.key] = twinOf(demand.key).decode(false)
        states[demand.key].dirty = true
      end
    elseif damaged then
      reply[#reply + 1] = format('${Sign.damaged},%d', damaged)
    elseif ask == ${Ask.read} then
      for _, demand in ipairs(demands) do
        local state = stateOf(demand.key)
        local cells = twinOf(demand.key).encode(state) and twinOf(demand.key).cells(state) or {}
        reply[#reply + 1] = #cells
        for _, cell in ipairs(cells) do reply[#reply + 1] = format('%d', cell) end
      end
    else
      decideAll(ask == 1, demands)
    end
  end
end

${writeAccountsLua}
return '[' .. table.concat(reply, ',') .. ']'
`;

/** A script, and the name under which Redis remembers it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export const scriptOf = (text: string): Script => ({ text, sha: createHash("sha1").update(text).digest("hex") });

export const script = scriptOf(text);
