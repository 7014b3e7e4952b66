/**
 * The Lua twin of the concurrency limit. In Redis a state is its leases in the order in which they end,
 * 21 bytes each: receipt, end and units.
 */
export const concurrencyLua = `function(now, carries, limit, lease)
  local longest = carries and max(lease, 3600000000) or lease
  local twin = {}

  function twin.decode(bytes)
    local state = {}
    if not bytes then return state end
    if #bytes == 0 or #bytes % 21 ~= 0 then return false end
    for at = 1, #bytes, 21 do
      local n = #state
      state[n + 1], state[n + 2], state[n + 3] = unpackBytes('>i7I7I7', bytes, at)
    end
    return state
  end

  function twin.copy(state)
    local copy = { dirty = state.dirty }
    for i = 1, #state do copy[i] = state[i] end
    return copy
  end

  local function keep(state, count)
    for i = #state, count + 1, -1 do state[i] = nil end
    state.dirty = true
  end

  local function dropEnded(state)
    local kept, length = 0, #state
    for i = 1, length, 3 do
      local over = state[i + 1]
      if over > now then
        if over > now + longest then
          over = now + longest
          state.dirty = true
        end
        state[kept + 1], state[kept + 2], state[kept + 3] = state[i], over, state[i + 2]
        kept = kept + 3
      end
    end
    if kept < length then keep(state, kept) end
  end

  local function drop(state, receipt)
    for i = 1, #state, 3 do
      if state[i] == receipt then
        for j = i, #state - 3 do state[j] = state[j + 3] end
        keep(state, #state - 3)
        return true
      end
    end
    return false
  end

  -- At the end, except before leases that somebody with longer terms has taken.
  local function insert(state, receipt, over, units)
    local i = #state
    while i > 0 and state[i - 1] > over do
      state[i + 1], state[i + 2], state[i + 3] = state[i - 2], state[i - 1], state[i]
      i = i - 3
    end
    state[i + 1], state[i + 2], state[i + 3] = receipt, over, units
    state.dirty = true
  end

  local function waitFor(state, excess, cost)
    if cost > limit then return -1 end
    local freed, i = 0, 1
    while true do
      freed = freed + state[i + 2]
      if freed >= excess or i + 3 > #state then return state[i + 1] - now end
      i = i + 3
    end
  end

  function twin.apply(state, cost, force, receipt)
    dropEnded(state)
    local isHeld = cost ~= 0 and receipt ~= 0 and drop(state, receipt)
    local held = 0
    for i = 3, #state, 3 do held = held + state[i] end
    local allowed = cost <= 0 or isHeld or force or held + cost <= limit
    local retryAfter = allowed and 0 or waitFor(state, held + cost - limit, cost)
    if allowed and cost > 0 then
      insert(state, receipt, now + lease, cost)
      held = held + cost
    end
    local resetAfter = #state == 0 and 0 or state[#state - 1] - now
    return allowed, max(0, limit - held), retryAfter, resetAfter, receipt
  end

  function twin.encode(state)
    local last = state[#state - 1]
    if not last or last <= now then return nil end
    local parts = {}
    for i = 1, #state, 3 do
      parts[#parts + 1] = packBytes('>i7I7I7', state[i], state[i + 1], state[i + 2])
    end
    return table.concat(parts), last - now
  end

  twin.cells = twin.copy

  return twin
end`;
