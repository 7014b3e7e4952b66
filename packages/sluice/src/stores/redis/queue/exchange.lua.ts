/** The Lua twin of `exchange.ts`: what a queue does with a request, once its state is there. */
export const exchangeLua = `local told = {}
local function tell(whom)
  told[whom] = told[whom] or { grants = {} }
  return told[whom]
end

local function nameFor(i, rule, lane)
  local base = KEYS[2 + i]
  if rule.per == 0 then return base end
  if rule.per == 1 then return base .. lane end
  local cut = find(lane, '~', 2, true)
  return base .. (rule.per == 2 and sub(lane, 1, cut - 1) or sub(lane, cut))
end

local function demandOf(i, rule, lane, cost, receipt)
  local key = accountOf(nameFor(i, rule, lane), rule.ledger)
  return { key = key, cost = rule.isByCost and cost or 1, receipt = receipt, least = false }
end

local function force(demand) chargeAll(true, { demand }) end

-- Demands on one account count as one demand.
local function take(demands)
  local merged, first, taken = {}, {}, {}
  for _, demand in ipairs(demands) do
    local earlier = first[demand.key]
    if earlier then
      merged[earlier].cost = merged[earlier].cost + demand.cost
    else
      merged[#merged + 1] = demand
      first[demand.key] = #merged
    end
  end
  local steps = chargeAll(false, merged)
  for i, demand in ipairs(demands) do taken[i] = steps[first[demand.key]] end
  return taken
end

local function settle(unused, ended, running, corrections)
  local function giveBack(i, rule, lane, cost, receipt)
    local demand = demandOf(i, rule, lane, cost, receipt)
    demand.cost = -demand.cost
    force(demand)
  end
  for _, charge in ipairs(unused) do
    local _, lane, cost, receipts = unpack(charge)
    for i, rule in ipairs(rules) do giveBack(i, rule, lane, cost, receipts[i]) end
  end
  for _, holder in ipairs(ended) do
    local id, lane, cost = unpack(holder)
    for i, rule in ipairs(rules) do
      if rule.isPlace and rule.afterEnd == 0 then
        giveBack(i, rule, lane, cost, id)
      elseif rule.isPlace then
        local demand = demandOf(i, rule, lane, cost, id)
        ledgerOf[demand.key] = rule.afterEnd
        force(demand)
      end
    end
  end
  for _, holder in ipairs(running) do
    local id, lane, cost = unpack(holder)
    for i, rule in ipairs(rules) do
      if rule.isPlace then force(demandOf(i, rule, lane, cost, id)) end
    end
  end
  for _, correction in ipairs(corrections) do
    local i, lane, cost, receipt = unpack(correction)
    if rules[i] and cost ~= 0 then
      local demand = demandOf(i, rules[i], lane, 1, receipt)
      demand.cost = cost
      force(demand)
    end
  end
end

local function spacing(remaining, limit)
  local used, paced, rate = floor(((limit - remaining) * FULL_RATE) / limit), 0, rateAt(now, recovery)
  for i = 1, #pace, 2 do
    if used >= pace[i] then paced = pace[i + 1] end
  end
  return max(paced, rate < FULL_RATE and ceil((interval * FULL_RATE) / rate) or 0)
end

local function grant(owner, id, lane, cost, taken)
  local remaining, limit, usable, receipts = huge, 1, grace, {}
  for i, rule in ipairs(rules) do
    local step = taken[i]
    if step.remaining * limit < remaining * rule.capacity then remaining, limit = step.remaining, rule.capacity end
    if rule.endsWithWindow then usable = min(usable, step.resetAfter) end
    receipts[i] = format('%d', step.receipt)
  end
  local grants = tell(owner).grants
  local left = remaining == huge and -1 or remaining
  grants[#grants + 1] = format('[%d,%s,%d,%d,%d,%d,[%s]]', id, cjson.encode(lane), cost, usable, left, limit, concat(receipts, ','))
  queue.notBefore = now + spacing(remaining, limit)
end

-- Until it could pass for all that rules of the queue say, and for all that those of the lane say.
local function waitsOf(taken)
  local ofAll, ofLane = 0, 0
  for i, step in ipairs(taken) do
    local wait = step.allowed and 0 or step.retryAfter < 0 and huge or step.retryAfter
    if not rules[i] or rules[i].per == 0 then ofAll = max(ofAll, wait) else ofLane = max(ofLane, wait) end
  end
  return ofAll, ofLane
end

-- The lanes that wait, with their tickets as far as somebody wants to know of them.
local function lines()
  local list, byLane, scanned = {}, {}, 1
  for number, lane in pairs(lanes) do
    if lane.waiting > 0 then
      local line = { lane = lane, head = 1, left = lane.waiting }
      list[#list + 1], byLane[number] = line, line
    end
  end
  local function firstOf(line)
    while line.left > 0 and not line[line.head] do
      local other = byLane[laneAt(scanned)]
      other[#other + 1] = scanned
      scanned = scanned + SIZE
    end
    return line[line.head]
  end
  return list, firstOf
end

-- The line of the lane that was served least, and how many are free; of equal ones that whose ticket came first.
local function nextLine(list, firstOf)
  local best, count = nil, 0
  for _, line in ipairs(list) do
    if line.left > 0 and not line.heldUntil then
      count = count + 1
      local served, least = line.lane.served, best and best.lane.served
      if not best or served < least or (served == least and firstOf(line) < firstOf(best)) then best = line end
    end
  end
  return best, count
end

local function pump(owner, never)
  if tickets == '' then return nil end
  if queue.notBefore > now then return queue.notBefore end
  local dropped, nextAt = {}, huge
  local list, firstOf = lines()
  while true do
    local line, among = nextLine(list, firstOf)
    if not line then break end
    if queue.notBefore > now then
      nextAt = queue.notBefore
      break
    end
    local at = firstOf(line)
    local id, _, _, cost = unpackBytes(RECORD, tickets, at)
    local by = ownerAt(at)
    local name, demands = line.lane.name, {}
    for i, rule in ipairs(rules) do demands[i] = demandOf(i, rule, name, cost, rule.isPlace and id or 0) end
    demands[#demands + 1] = { key = accountOf(KEYS[2], 1), cost = 1, receipt = 0, least = false }
    local taken = take(demands)
    local ofAll, ofLane = waitsOf(taken)
    local wait = max(ofAll, ofLane)
    if wait == 0 or wait == huge then
      line.head, line.left = line.head + 1, line.left - 1
      dropped[#dropped + 1] = at
      if wait == 0 then
        serve(line.lane, cost, among)
        grant(ownerOf[by], id, name, cost, taken)
      elseif ownerOf[by] == owner then
        never[#never + 1] = id
      end
    elseif ofLane > 0 then
      line.heldUntil = now + wait
      catchUp(line.lane)
    else
      nextAt = now + wait
      break
    end
  end
  remove(dropped)
  if tickets == '' then return nil end
  for _, line in ipairs(list) do
    if line.heldUntil then nextAt = min(nextAt, line.heldUntil) end
  end
  return max(queue.notBefore, nextAt)
end

local function wake(owner, at)
  local inLine = at and ownersInLine() or {}
  for rank = 0, 2 do
    if inLine[rank + 1] == owner then tell(owner).wakeAfter = at - now + rank * max(20000, grace) end
  end
  local head = inLine[1] or ''
  if head ~= '' and head ~= owner and (head ~= queue.waker or at < queue.wakeAt) then tell(head).wakeAfter = at - now end
  queue.waker, queue.wakeAt = head, at or 0
end

-- Units that flow back one after the other are granted together, where they can be: see exchange.ts.
local function together(at)
  if queue.notBefore > now then return at end
  local gap = 8000
  for _, rule in ipairs(rules) do gap = min(gap, floor(interval * rule.capacity / 10)) end
  return max(at, now + gap)
end

local function fits(cost)
  for _, rule in ipairs(rules) do
    if (rule.isByCost and cost or 1) > rule.capacity then return false end
  end
  return true
end

local function exchange(owner, request)
  local unused, ended, running, corrections, pause, startedAgo, rank, text, leave, come, waiting = unpack(request)
  if now < queue.now then bringBack(queue.now - now) end
  queue.now = now
  hear(owner, now)
  sweep(now, ownerLife)
  settle(unused, ended, running, corrections)
  if pause then force({ key = accountOf(KEYS[2], 1), cost = pause, receipt = 0, least = false }) end
  if startedAgo then cut(now - startedAgo, now, recovery) end
  if rank and (not queue.rank or rank > queue.rank or (rank == queue.rank and isAfter(text, queue.text))) then
    queue.rank, queue.text = rank, text
    for other in pairs(owners) do
      if other ~= owner then tell(other).hasNote = true end
    end
  end
  leaveLine(leave, owner)
  local never, isKnown, missing = {}, {}, {}
  for _, ticket in ipairs(come) do
    if not fits(ticket[3]) then
      never[#never + 1] = ticket[1]
      isKnown[ticket[1]] = true
    end
  end
  enter(owner, come, isKnown, now)
  local nextAt = pump(owner, never)
  wake(owner, nextAt and together(nextAt))
  for _, id in ipairs(never) do isKnown[id] = true end
  for _, granted in ipairs(tell(owner).grants) do isKnown[tonumber(granted:match('%d+'))] = true end
  for _, id in ipairs(waiting) do
    if not isKnown[id] and not placeOf(id) then missing[#missing + 1] = id end
  end
  return missing, never, nextAt
end
`;
