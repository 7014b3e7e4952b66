/**
 * The Lua twin of the token bucket: the same steps, the same integers.
 *
 * In Redis a state is the time in 7 bytes and the debt in 4, or in 7 when that is not enough. Bytes are
 * the most significant first.
 */
export const tokenBucketLua = `function(now, drain, unit, burst)
  local depth = burst * unit
  local longest = floor(4503599627370496 / drain)

  local function drained(state)
    local elapsed = now - state.time
    if elapsed <= 0 then return state.debt end
    if elapsed > longest then return 0 end
    return max(0, state.debt - elapsed * drain)
  end

  local twin = {}

  function twin.decode(bytes)
    if not bytes then return { debt = 0, time = 0 } end
    if #bytes ~= 11 and #bytes ~= 14 then return false end
    local time, debt = unpackBytes(#bytes == 11 and '>I7I4' or '>I7I7', bytes)
    return time <= 9007199254740992 and debt <= 4503599627370496 and { debt = debt, time = time }
  end

  function twin.copy(state)
    return { debt = state.debt, time = state.time, dirty = state.dirty }
  end

  function twin.apply(state, cost, force, receipt)
    local debt, allowed, retryAfter = drained(state), true, 0
    if cost < 0 then
      local left = receipt == 0 and 4503599627370496 or receipt - now
      local credit = min(min(-cost * unit, 4503599627370496), max(0, min(left, longest)) * drain)
      debt = max(0, debt - credit)
    elseif cost > 0 then
      local following = cost <= burst and debt + cost * unit or huge
      if following <= depth then
        debt = following
      elseif force then
        debt = min(4503599627370496, debt + cost * unit)
      else
        allowed = false
        retryAfter = following == huge and -1 or ceil((following - depth) / drain)
      end
    end
    if allowed or now < state.time then
      state.debt, state.time, state.dirty = debt, now, true
    end
    local room, resetAfter = depth - debt, ceil(debt / drain)
    return allowed, room >= unit and floor(room / unit) or 0, retryAfter, resetAfter, now + resetAfter
  end

  function twin.encode(state)
    local debt = drained(state)
    if debt == 0 then return nil end
    return packBytes(state.debt < 4294967296 and '>I7I4' or '>I7I7', state.time, state.debt), ceil(debt / drain)
  end

  function twin.cells(state)
    return { state.debt, state.time }
  end

  return twin
end`;
