/** The Lua twin of the block. In Redis a state is its end in 7 bytes. */
export const blockLua = `function(now)
  local twin = {}

  function twin.decode(bytes)
    if not bytes then return { over = 0 } end
    return #bytes == 7 and { over = unpackBytes('>I7', bytes) }
  end

  function twin.copy(state)
    return { over = state.over, dirty = state.dirty }
  end

  function twin.apply(state, cost, force)
    if force and now + cost > state.over then
      state.over, state.dirty = now + cost, true
    end
    local left = max(0, state.over - now)
    local allowed = force or cost <= 0 or left == 0
    return allowed, 0, allowed and 0 or left, left, 0
  end

  function twin.isOver(state)
    return state.over <= now
  end

  function twin.encode(state)
    if state.over <= now then return nil end
    return packBytes('>I7', state.over), state.over - now
  end

  function twin.cells(state)
    return { state.over }
  end

  return twin
end`;
