import { Sign } from "./sign.ts";

/**
 * What scripts do before they decide, once `now` (0: the time of Redis) and `ledgers` are there: the ledgers become twins
 * that can be asked.
 */
export const ledgersLua = `if now == 0 then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
for i, ledger in ipairs(ledgers) do
  local carries = ledger[2] == 1
  ledgers[i] = twins[ledger[1]](now, carries, unpack(ledger, 3))
  if not ledgers[i] then return format('[${Sign.needsWindows},%d]', now) end
  ledgers[i].carries = carries
end
`;
