/**
 * The Lua twin of the sliding window.
 *
 * In Redis a state is a header and a log. The header has the newest charge, which may still grow, the times
 * of the first and the last charge in the log as distances from it, and the sum of all units. The log has the
 * older charges, oldest first, as the distance from the charge before and the units, in as few bytes as most
 * of them need; one that needs more is marked by a distance of all ones and follows in 14 bytes.
 *
 * One that carries has the same widths whatever its numbers are.
 *
 * A plain take reads the header and what has ended at the front, and appends at the end: its cost does not
 * depend on the length of the log. What is rare (handing back, a clock that was set back) reads all of it.
 */
export const slidingWindowLua = `function(now, carries, limit, period, granules)
  local granule = ceil(period / granules)
  local isCoarse = limit > granules + 2
  local oldest = now - period

  local function bytesAbove(number)
    local bytes, most = 1, 256
    while most <= number and bytes < 7 do
      bytes, most = bytes + 1, most * 256
    end
    return bytes, most
  end

  local gapBytes, gapEnd = bytesAbove(4 * granule)
  local unitBytes, unitEnd = bytesAbove(2 * limit / granules)
  local sumBytes, sumEnd = bytesAbove(limit)
  local periodBytes = bytesAbove(period)
  if carries then gapBytes, gapEnd, unitBytes, unitEnd, sumBytes, sumEnd, periodBytes = 4, 4294967296, 2, 65536, 4, 4294967296, 7 end
  local entryBytes = gapBytes + unitBytes
  local entryFormat = '>I' .. gapBytes .. 'I' .. unitBytes
  local escape = string.rep('\\255', gapBytes)
  local start = '>I1I7I' .. periodBytes .. 'I' .. periodBytes
  local narrow, narrowBytes = start .. 'I' .. sumBytes .. 'I' .. sumBytes, 8 + 2 * periodBytes + 2 * sumBytes
  local wide, wideBytes = start .. 'I7I7', 22 + 2 * periodBytes

  -- The distance and the units of the charge at a place of the log, and the place of the next one.
  local function entry(state, at)
    if state.hasWide and string.sub(state.log, at, at + gapBytes - 1) == escape then
      return unpackBytes('>I7I7', state.log, at + gapBytes)
    end
    return unpackBytes(entryFormat, state.log, at)
  end

  local function entryOf(state, gap, units)
    if gap < gapEnd - 1 and units < unitEnd then return packBytes(entryFormat, gap, units) end
    state.hasWide = true
    return escape .. packBytes('>I7I7', gap, units)
  end

  local function isWhole(state)
    local at, log = state.at, state.log
    while at <= #log do
      local isEscaped = string.sub(log, at, at + gapBytes - 1) == escape
      at = at + (isEscaped and gapBytes + 14 or entryBytes)
    end
    return at == #log + 1
  end

  local twin = { life = period }

  function twin.decode(bytes)
    if not bytes then return { isOpen = false, sum = 0, log = '', at = 1 } end
    local flags = (string.byte(bytes) or 0) - 1
    if flags < 0 or flags > 3 then return false end
    local isWide = flags % 2 == 1
    local header = isWide and wideBytes or narrowBytes
    if #bytes < header then return false end
    local _, last, first, closed, units, sum = unpackBytes(isWide and wide or narrow, bytes)
    if last > 9007199254740992 or units > sum or sum > 9007199254740991 then return false end
    local state = {
      isOpen = true, last = last, first = last - first, closed = last - closed, units = units, sum = sum,
      log = bytes, at = header + 1, hasWide = flags >= 2,
    }
    if state.hasWide then return isWhole(state) and state end
    return (#bytes - header) % entryBytes == 0 and state
  end

  function twin.copy(state)
    local copy = {}
    for name, value in pairs(state) do copy[name] = value end
    return copy
  end

  local function dropEnded(state)
    while state.isOpen and state.first <= oldest do
      if state.at > #state.log then
        state.isOpen, state.sum, state.hasWide = false, 0, false
      else
        local _, units, after = entry(state, state.at)
        state.sum, state.at = state.sum - units, after
        state.first = after > #state.log and state.last or state.first + (entry(state, after))
      end
    end
  end

  local function push(state, time, units)
    if state.isOpen then
      local isFirst = state.at > #state.log
      local before = isFirst and '' or string.sub(state.log, state.at)
      state.log, state.at = before .. entryOf(state, isFirst and 0 or state.last - state.closed, state.units), 1
      state.closed = state.last
    else
      state.isOpen, state.log, state.at, state.first, state.hasWide = true, '', 1, time, false
    end
    state.last, state.units = time, units
  end

  local function isOneCharge(state)
    if not state.isOpen or state.sum <= 0 then return false end
    if state.last == now then return true end
    return (isCoarse or state.sum >= limit) and floor(state.last / granule) == floor(now / granule)
  end

  local function append(state, units)
    if isOneCharge(state) then
      if state.at > #state.log then state.first = now end
      state.last, state.units = now, state.units + units
    else
      push(state, now, units)
    end
    state.sum, state.dirty = state.sum + units, true
  end

  local function charges(state)
    local times, amounts = {}, {}
    local time, at = state.first, state.at
    while state.isOpen and at <= #state.log do
      local gap, units, after = entry(state, at)
      if #times > 0 then time = time + gap end
      times[#times + 1], amounts[#amounts + 1] = time, units
      at = after
    end
    if state.isOpen then
      times[#times + 1], amounts[#amounts + 1] = state.last, state.units
    end
    return times, amounts
  end

  local function rewrite(state, times, amounts)
    state.isOpen, state.dirty = false, true
    for i = 1, #times do
      push(state, times[i], amounts[i])
    end
  end

  local function setBack(state)
    local times, amounts = charges(state)
    for i = 1, #times do times[i] = min(times[i], now) end
    rewrite(state, times, amounts)
  end

  local function giveBack(state, units, receipt)
    if not state.isOpen then return end
    local times, amounts = charges(state)
    local left = units
    local function takeOff(i)
      local given = min(left, amounts[i])
      left, amounts[i] = left - given, amounts[i] - given
      if amounts[i] == 0 then
        table.remove(times, i)
        table.remove(amounts, i)
      end
    end
    if receipt == 0 then
      local i = #times
      while i >= 1 and left > 0 do
        takeOff(i)
        i = i - 1
      end
    elseif receipt > oldest then
      local i = 1
      while i <= #times and times[i] < receipt do i = i + 1 end
      if i <= #times and floor(times[i] / granule) == floor(receipt / granule) then takeOff(i) end
    end
    state.sum = state.sum - (units - left)
    rewrite(state, times, amounts)
  end

  local function waitFor(state, excess, cost)
    if cost > limit then return -1 end
    local freed, time, at = 0, state.first, state.at
    while at <= #state.log do
      local _, units, after = entry(state, at)
      freed = freed + units
      if freed >= excess then return min(time, now) + period - now end
      time = after > #state.log and state.last or time + (entry(state, after))
      at = after
    end
    return min(state.last, now) + period - now
  end

  function twin.apply(state, cost, force, receipt)
    local isFuture = state.isOpen and state.last > now
    if isFuture then setBack(state) end
    -- What has ended may still count by the numbers of others, or if the clock is set back: it goes when units come or go.
    local before = (carries or isFuture) and twin.copy(state)
    local isWritten = false
    dropEnded(state)
    local allowed, retryAfter = true, 0
    if cost > 0 and not force and cost > limit - state.sum then
      allowed = false
      retryAfter = waitFor(state, cost - (limit - state.sum), cost)
    end
    if allowed and cost > 0 then
      append(state, force and min(cost, 9007199254740991 - state.sum) or cost)
      isWritten = true
    elseif cost < 0 then
      isWritten = state.isOpen
      giveBack(state, -cost, receipt)
    end
    local resetAfter = 0
    if state.sum ~= 0 then resetAfter = allowed and cost > 0 and period or min(state.last, now) + period - now end
    local remaining = max(0, limit - state.sum)
    if before and not isWritten then
      for name, value in pairs(before) do state[name] = value end
    end
    return allowed, remaining, retryAfter, resetAfter, now
  end

  function twin.encode(state)
    if not state.isOpen or (not carries and state.last <= oldest) then return nil end
    local isEmpty = state.at > #state.log
    local isWide = state.sum >= sumEnd
    local flags = 1 + (isWide and 1 or 0) + (state.hasWide and not isEmpty and 2 or 0)
    local header = packBytes(isWide and wide or narrow, flags, state.last, state.last - state.first,
      isEmpty and 0 or state.last - state.closed, state.units, state.sum)
    return header .. string.sub(state.log, state.at), max(0, state.last + period - now)
  end

  function twin.cells(state)
    local times, amounts = charges(state)
    local cells = { 2, state.sum }
    for i = 1, #times do
      cells[2 * i + 1], cells[2 * i + 2] = times[i], amounts[i]
    end
    return cells
  end

  return twin
end`;
