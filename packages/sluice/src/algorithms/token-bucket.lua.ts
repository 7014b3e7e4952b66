/**
 * The Lua twin of the token bucket: the same steps, the same integers.
 *
 * In Redis a state is the time in 7 bytes and the debt in 4, or in 7 when that is not enough. Bytes are
 * the most significant first. One that carries has 7 bytes each for the time, the debt and what a unit adds to it.
 */
export const tokenBucketLua = `function(now, carries, drain, unit, burst)
  local depth = burst * unit
  local longest = floor(4503599627370496 / drain)

  local function debtOf(state)
    local debt, from = state.debt, state.unit
    if not carries or debt == 0 or from == unit then return debt end
    local whole = floor(debt / from)
    return min(4503599627370496, whole * unit + ceil(((debt - whole * from) * unit) / from))
  end

  local function drained(state)
    local debt, elapsed = debtOf(state), now - state.time
    if elapsed <= 0 then return debt end
    if elapsed > longest then return 0 end
    return max(0, debt - elapsed * drain)
  end

  local formats = { [11] = '>I7I4', [14] = '>I7I7', [21] = '>I7I7I7' }
  local twin = { life = ceil(depth / drain) }

  function twin.decode(bytes)
    if not bytes then return { debt = 0, time = 0 } end
    local format = formats[#bytes]
    if not format or carries ~= (#bytes == 21) then return false end
    local time, debt, from = unpackBytes(format, bytes)
    if time > 9007199254740992 or debt > 4503599627370496 or from == 0 then return false end
    return { debt = debt, time = time, unit = from }
  end

  function twin.copy(state)
    return { debt = state.debt, time = state.time, unit = state.unit, dirty = state.dirty }
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
      state.debt, state.time, state.unit, state.dirty = debt, now, unit, true
    end
    local room, resetAfter = depth - debt, ceil(debt / drain)
    return allowed, room >= unit and floor(room / unit) or 0, retryAfter, resetAfter, now + resetAfter
  end

  function twin.encode(state)
    local debt = drained(state)
    local left = ceil(debt / drain)
    if carries then
      if state.debt == 0 then return nil end
      return packBytes('>I7I7I7', state.time, state.debt, state.unit), left
    end
    if debt == 0 then return nil end
    return packBytes(state.debt < 4294967296 and '>I7I4' or '>I7I7', state.time, state.debt), left
  end

  function twin.cells(state)
    return { state.debt, state.time, carries and state.unit or nil }
  end

  return twin
end`;
