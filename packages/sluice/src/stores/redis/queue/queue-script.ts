import { accountsLua, writeAccountsLua } from "../accounts.lua.ts";
import { ledgersLua } from "../ledgers.lua.ts";
import { scriptOf } from "../script.ts";
import { Sign } from "../sign.ts";
import { twinsLua } from "../twins.lua.ts";
import { exchangeLua } from "./exchange.lua.ts";
import { queueStateLua } from "./queue-state.lua.ts";

/**
 * What Redis does with a request to a shared queue, as one script: the twin of `exchange`. Nothing is written before all
 * is decided, so an error on the way has changed nothing. Beside what the script of everything needs: GET, PUBLISH and cmsgpack.
 *
 * KEYS are the queue; the account of its pause; for each rule its one account, or how the names of its accounts begin,
 * which lanes complete (they may be known to other processes only; all are in one slot); and, where plain takes look for it,
 * the key that is there while anything is paused.
 *
 * ARGV[1] are the ledgers, as in the script of everything: the first is that of the pause. ARGV[2] are the terms, as
 * `queue-terms.ts` writes them, ARGV[3] is the request, as `queue-request.ts` does, and ARGV[4] begins the names of the
 * channels on which owners are told the news.
 *
 * The reply is a JSON list, as `queue-reply.ts` reads it. Instead of it: that windows have to be told, or a damaged key.
 */
const text = `${twinsLua}
local linger, life, rules, grace, ownerLife, pace, interval, recovery = unpack(cjson.decode(ARGV[2]))
local now, owner, request = unpack(cjson.decode(ARGV[3]))
local ledgers = cjson.decode(ARGV[1])
${ledgersLua}for i, rule in ipairs(rules) do
  rules[i] = {
    ledger = rule[1], per = rule[2], isByCost = rule[3] == 1, isPlace = rule[4] == 1,
    afterEnd = rule[5], endsWithWindow = rule[6] == 1, capacity = rule[7],
  }
end

local names, numbers, ledgerOf, bytes, isForeign = {}, {}, {}, {}, {}
${accountsLua}
-- What a key holds, or nothing, and whether that is something else than a string.
local function valueOf(name)
  local value = redis.pcall('GET', name)
  if type(value) ~= 'table' then return value, false end
  if not value.err:find('WRONGTYPE', 1, true) then error(value) end
  return false, true
end

local function accountOf(name, ledger)
  local key = numbers[name]
  if not key then
    key = #names + 1
    names[key], numbers[name] = name, key
    bytes[key], isForeign[name] = valueOf(name)
  end
  ledgerOf[key] = ledger
  if not stateOf(key) then error({ damaged = name }) end
  return key
end

${queueStateLua}
${exchangeLua}
if not pcall(decode, (valueOf(KEYS[1]))) then begin() end
local isDone, missing, never, nextAt = pcall(exchange, owner, request)
if not isDone then
  local failure = missing
  if type(failure) == 'table' and failure.damaged then
    return format('[${Sign.damaged},%s]', cjson.encode(failure.damaged))
  end
  -- A text is of Lua, which stumbled over what it found in the queue: the next request begins a new one.
  if type(failure) == 'string' then call('DEL', KEYS[1]) end
  error(type(failure) == 'table' and failure.err or failure)
end

local markers = {}
if #KEYS > 2 + #rules then
  names[#names + 1] = KEYS[#KEYS]
  markers = { 1, #names }
end
${writeAccountsLua}
call('SET', KEYS[1], encode(), 'PX', format('%d', life + max(0, ceil((queue.notBefore - now) / 1000))))

local function noteOf(isTold)
  if not queue.rank or not isTold then return 'false,false' end
  return format('%.17g,%s', queue.rank, cjson.encode(queue.text))
end
local function newsOf(news, isTold)
  return format('%d,[%s],%d,%s', now, concat(news.grants, ','), news.wakeAfter or -1, noteOf(isTold))
end
for name, news in pairs(told) do
  -- Whoever may not publish has a queue all the same: others ask by themselves.
  if name ~= owner then redis.pcall('PUBLISH', ARGV[4] .. name, '[' .. newsOf(news, news.hasNote) .. ']') end
end
local function listOf(ids)
  for i, id in ipairs(ids) do ids[i] = format('%d', id) end
  return concat(ids, ',')
end
return format('[%s,[%s],[%s],%d,%d,%d,%d]', newsOf(tell(owner), true), listOf(missing), listOf(never),
  #tickets / SIZE, aheadOf(owner), nextAt and nextAt - now or -1, rateAt(now, recovery))
`;

export const queueScript = scriptOf(text);
