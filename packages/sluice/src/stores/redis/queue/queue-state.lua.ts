/**
 * The Lua twin of `queue-state.ts`: what Redis keeps of a queue, and what happens to it.
 *
 * Tickets are one string, 28 bytes each, in the order in which they stand: id, number of the owner, number of the lane,
 * cost and order. So a script that looks at a few tickets reads only those. Owners and lanes know how many tickets they have.
 * Before the tickets stands everything else, as cmsgpack writes it: cjson would write 14 digits only.
 */
export const queueStateLua = `local find, sub, concat = string.find, string.sub, table.concat
local FULL_RATE, SIZE, RECORD = 1000000, 28, '<I6I4I4I7i7'
local queue, tickets, owners, ownerOf, lanes, laneOf

local function isNumber(...)
  for i = 1, select('#', ...) do
    if type((select(i, ...))) ~= 'number' then return false end
  end
  return true
end

local function decode(bytes)
  assert(type(bytes) == 'string' and sub(bytes, 1, 2) == 'Q1')
  local start = 7 + unpackBytes('<I4', bytes, 3)
  local kept, line, count = cmsgpack.unpack(sub(bytes, 7, start - 1)), sub(bytes, start), 0
  assert(isNumber(kept.now, kept.served, kept.rest, kept.wakeAt, kept.notBefore, kept.cutAt, kept.cutTo))
  assert(type(kept.waker) == 'string')
  assert(not kept.rank or type(kept.text) == 'string')
  local byName, byNumber, turns, turnOf = {}, {}, {}, {}
  for i = 1, #kept.owners, 4 do
    local number, name, heard, waiting = unpack(kept.owners, i, i + 3)
    assert(isNumber(number, heard, waiting) and type(name) == 'string')
    byName[name], byNumber[number] = { number = number, heard = heard, waiting = waiting }, name
    count = count + waiting
  end
  assert(count * SIZE == #line)
  for i = 1, #kept.lanes, 4 do
    local number, name, served, waiting = unpack(kept.lanes, i, i + 3)
    assert(isNumber(number, served, waiting) and type(name) == 'string')
    turns[number], turnOf[name] = { name = name, served = served, waiting = waiting }, number
    count = count - waiting
  end
  assert(count == 0)
  queue, tickets, owners, ownerOf, lanes, laneOf = kept, line, byName, byNumber, turns, turnOf
end

local function begin()
  queue = { now = 0, served = 0, rest = 0, waker = '', wakeAt = 0, notBefore = 0, cutAt = 0, cutTo = FULL_RATE, rank = false }
  tickets, owners, ownerOf, lanes, laneOf = '', {}, {}, {}, {}
end

local function encode()
  local ownerList, laneList = {}, {}
  for name, one in pairs(owners) do
    local n = #ownerList
    ownerList[n + 1], ownerList[n + 2], ownerList[n + 3], ownerList[n + 4] = one.number, name, one.heard, one.waiting
  end
  for number, one in pairs(lanes) do
    local n = #laneList
    laneList[n + 1], laneList[n + 2], laneList[n + 3], laneList[n + 4] = number, one.name, one.served, one.waiting
  end
  queue.owners, queue.lanes = ownerList, laneList
  local head = cmsgpack.pack(queue)
  return 'Q1' .. packBytes('<I4', #head) .. head .. tickets
end

-- In tickets the number of an owner has its highest bit set: so searching for it does not halt at other numbers.
local MARK = 2147483648
local function ownerAt(at) return unpackBytes('<I4', tickets, at + 6) - MARK end
local function laneAt(at) return (unpackBytes('<I4', tickets, at + 10)) end
local function orderAt(at) return (unpackBytes('<i7', tickets, at + 21)) end

-- Where the first ticket stands that has these bytes so far after its beginning.
local function placeWith(bytes, after)
  local from = 1
  while true do
    local at = find(tickets, bytes, from, true)
    if not at or (at - 1 - after) % SIZE == 0 then return at and at - after end
    from = at + 1
  end
end

local function placeOf(id) return placeWith(packBytes('<I6', id), 0) end

local function remove(places)
  if #places == 0 then return end
  table.sort(places)
  local parts, from = {}, 1
  for _, at in ipairs(places) do
    local owner, lane = owners[ownerOf[ownerAt(at)]], lanes[laneAt(at)]
    owner.waiting, lane.waiting = owner.waiting - 1, lane.waiting - 1
    parts[#parts + 1] = sub(tickets, from, at - 1)
    from = at + SIZE
  end
  parts[#parts + 1] = sub(tickets, from)
  tickets = concat(parts)
end

local function bringBack(by)
  local parts = {}
  for at = 1, #tickets, SIZE do
    parts[#parts + 1] = sub(tickets, at, at + 20) .. packBytes('<i7', orderAt(at) - by)
  end
  tickets = concat(parts)
  for _, owner in pairs(owners) do owner.heard = owner.heard - by end
  queue.wakeAt, queue.notBefore, queue.cutAt = queue.wakeAt - by, queue.notBefore - by, queue.cutAt - by
end

local function firstFree(used)
  local number = 1
  while used[number] do number = number + 1 end
  return number
end

local function hear(name, now)
  local owner = owners[name]
  if not owner then
    owner = { number = firstFree(ownerOf), waiting = 0 }
    owners[name], ownerOf[owner.number] = owner, name
  end
  owner.heard = now
end

local function sweep(now, ownerLife)
  local gone, places = {}, {}
  for name, owner in pairs(owners) do
    if owner.heard <= now - ownerLife then gone[owner.number] = name end
  end
  if next(gone) then
    for at = 1, #tickets, SIZE do
      if gone[ownerAt(at)] then places[#places + 1] = at end
    end
    remove(places)
    for number, name in pairs(gone) do owners[name], ownerOf[number] = nil, nil end
  end
  for number, lane in pairs(lanes) do
    if lane.waiting == 0 and (tickets == '' or lane.served <= queue.served) then
      lanes[number], laneOf[lane.name] = nil, nil
    end
  end
end

local function rateAt(now, recovery)
  return min(FULL_RATE, queue.cutTo + 100000 * floor((now - queue.cutAt) / recovery))
end

local function cut(startedAt, now, recovery)
  if startedAt <= queue.cutAt then return end
  queue.cutTo = max(50000, floor((rateAt(now, recovery) * 700000) / FULL_RATE))
  queue.cutAt = now
end

local function leaveLine(ids, owner)
  local places, isFound = {}, {}
  for _, id in ipairs(ids) do
    local at = placeOf(id)
    if at and not isFound[at] and ownerAt(at) == owners[owner].number then
      places[#places + 1] = at
      isFound[at] = true
    end
  end
  remove(places)
end

local function catchUp(lane) lane.served = max(lane.served, queue.served) end

local function laneNumber(name)
  local number = laneOf[name]
  if not number then
    number = firstFree(lanes)
    lanes[number], laneOf[name] = { name = name, served = 0, waiting = 0 }, number
  end
  return number
end

-- Before the first ticket of a higher order.
local function placeFor(order)
  local low, high = 0, #tickets / SIZE
  while low < high do
    local middle = floor((low + high) / 2)
    if orderAt(middle * SIZE + 1) > order then high = middle else low = middle + 1 end
  end
  return low * SIZE + 1
end

local function enter(owner, come, isKnown, now)
  if #come == 0 then return end
  local mine, entered = owners[owner], {}
  for i, ticket in ipairs(come) do
    local id, name, cost, offset = unpack(ticket)
    if not isKnown[id] and not placeOf(id) then
      isKnown[id] = true
      local number = laneNumber(name)
      local lane, order = lanes[number], now + offset
      if lane.waiting == 0 then catchUp(lane) end
      mine.waiting, lane.waiting = mine.waiting + 1, lane.waiting + 1
      local bytes = packBytes(RECORD, id, mine.number + MARK, number, cost, order)
      entered[#entered + 1] = { order = order, i = i, bytes = bytes, at = placeFor(order) }
    end
  end
  table.sort(entered, function(a, b) return a.order < b.order or (a.order == b.order and a.i < b.i) end)
  local parts, from = {}, 1
  for _, ticket in ipairs(entered) do
    parts[#parts + 1], parts[#parts + 2] = sub(tickets, from, ticket.at - 1), ticket.bytes
    from = ticket.at
  end
  parts[#parts + 1] = sub(tickets, from)
  tickets = concat(parts)
end

local function serve(lane, cost, among)
  local start, units = lane.served, queue.rest + cost
  lane.served = start + cost
  queue.served = max(queue.served, start) + floor(units / among)
  queue.rest = units % among
end

local function ownersInLine()
  local found, isFound, most, at = {}, {}, 0, 1
  for _, owner in pairs(owners) do
    if owner.waiting > 0 then most = min(3, most + 1) end
  end
  while #found < most do
    local number = ownerAt(at)
    if not isFound[number] then
      isFound[number] = true
      found[#found + 1] = ownerOf[number]
    end
    at = at + SIZE
  end
  return found
end

-- How many tickets came before the first of this owner.
local function aheadOf(name)
  local owner = owners[name]
  if owner.waiting == 0 then return 0 end
  local at = placeWith(packBytes('<I4', owner.number + MARK), 6)
  local order = orderAt(at)
  while at > 1 and orderAt(at - SIZE) == order do at = at - SIZE end
  return (at - 1) / SIZE
end

-- By units of UTF-16, as JavaScript compares: what needs two of them comes before U+E000 to U+FFFF.
local function isAfter(text, other)
  for i = 1, min(#text, #other) do
    local a, b = text:byte(i), other:byte(i)
    if a ~= b then
      if a == 238 or a == 239 then a = a + 10 end
      if b == 238 or b == 239 then b = b + 10 end
      return a > b
    end
  end
  return #text > #other
end
`;
