/**
 * The Lua twin of the fixed window. What a calendar says is told to it: `ends` are the ends of the windows
 * from the time `from` on, and outside of those it makes no twin, so that it is asked again with others.
 *
 * In Redis a state is the end of the window in 7 bytes and the units in 4, or in 7 when that is not enough.
 */
export const fixedWindowLua = `function(now, carries, limit, longest, from, ...)
  local nextEnd = now + longest
  if from then
    nextEnd = nil
    for _, over in ipairs({ ... }) do
      if now >= from and now < over then
        nextEnd = over
        break
      end
    end
    if not nextEnd then return nil end
  end

  local twin = {}

  function twin.decode(bytes)
    if not bytes then return { used = 0, over = 0 } end
    if #bytes ~= 11 and #bytes ~= 14 then return false end
    local over, used = unpackBytes(#bytes == 11 and '>I7I4' or '>I7I7', bytes)
    return over <= 13510798882111488 and used <= 9007199254740991 and { used = used, over = over }
  end

  function twin.copy(state)
    return { used = state.used, over = state.over, dirty = state.dirty }
  end

  function twin.apply(state, cost, force, receipt)
    local kept = state.over
    local used = now >= kept and 0 or state.used
    local isFromTheFuture = kept - now > 2 * longest
    local over = (used == 0 or isFromTheFuture) and nextEnd or kept
    local allowed = cost <= 0 or force or used + cost <= limit
    if cost < 0 then
      if receipt == 0 or receipt == over then used = max(0, used + cost) end
    elseif allowed then
      used = min(9007199254740991, used + cost)
    end
    if allowed or isFromTheFuture then
      state.used, state.over, state.dirty = used, over, true
    end
    local retryAfter = allowed and 0 or cost > limit and -1 or over - now
    return allowed, max(0, limit - used), retryAfter, used == 0 and 0 or over - now, over
  end

  function twin.encode(state)
    if state.used == 0 or now >= state.over then return nil end
    return packBytes(state.used < 4294967296 and '>I7I4' or '>I7I7', state.over, state.used), state.over - now
  end

  function twin.cells(state)
    return { state.used, state.over }
  end

  return twin
end`;
