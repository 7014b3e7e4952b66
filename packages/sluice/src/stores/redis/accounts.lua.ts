/**
 * Windows and buckets are kept for longer than needed by twice this part of what they may live, so that plain takes have
 * to move the end of a key no more often than once in such a part: moving it takes longer than writing the state.
 */
export const SLACK = 4;

/**
 * What scripts do with accounts: look at their states, and charge several, all or none, as `decide` does.
 *
 * An account is a number: `names` has its name, `bytes` what Redis has there, `isForeign` by its name whether that is
 * something else than a string, and `ledgerOf` the number of its ledger among `ledgers`. `now` is the time in microseconds.
 */
export const accountsLua = `local states = {}
local function twinOf(key) return ledgers[ledgerOf[key]] end

local function stateOf(key)
  local state = states[key]
  if state == nil then
    state = not isForeign[names[key]] and twinOf(key).decode(bytes[key])
    states[key] = state
  end
  return state
end

local function stepOf(force, demand, cost)
  local twin, step = twinOf(demand.key), { cost = cost }
  step.state = twin.copy(stateOf(demand.key))
  step.state.dirty = false
  step.allowed, step.remaining, step.retryAfter, step.resetAfter, step.receipt =
    twin.apply(step.state, cost, force, demand.receipt)
  return step
end

local function chargeAll(force, demands)
  local steps, isMet = {}, true
  for i, demand in ipairs(demands) do
    local step, least = stepOf(force, demand, demand.cost), demand.least
    if least and not step.allowed then
      step = stepOf(force, demand, min(demand.cost, max(step.remaining, least)))
    end
    steps[i] = step
    isMet = isMet and step.allowed
  end
  for i, demand in ipairs(demands) do
    local step = steps[i]
    if isMet or not step.allowed then
      if step.state.dirty then states[demand.key] = step.state end
    else
      steps[i] = stepOf(false, demand, 0)
    end
  end
  return steps, isMet
end
`;

/**
 * Writes the accounts that have changed. They are kept for so many milliseconds more than needed: `linger`. `markers` are
 * numbers of ledgers of blocks, each followed by the number in `names` of the key that is there while any of its keys is blocked.
 */
export const writeAccountsLua = `for key, state in pairs(states) do
  if state and state.dirty then
    local value, left = twinOf(key).encode(state)
    if value then
      -- Plain takes count on this when they leave the end of a key where it is.
      local life = twinOf(key).life or 0
      local ttl = ceil((max(left, life) + 2 * ceil(life / ${SLACK})) / 1000) + linger
      -- Others may go on with this state under numbers by which it counts for longer.
      if twinOf(key).carries then ttl = max(ttl, call('PTTL', names[key])) end
      call('SET', names[key], value, 'PX', format('%d', ttl))
      for i = 1, #markers, 2 do
        if markers[i] == ledgerOf[key] then
          local name = names[markers[i + 1]]
          call('SET', name, '1', 'PX', format('%d', max(ttl, call('PTTL', name))))
        end
      end
    elseif bytes[key] or isForeign[names[key]] then
      call('DEL', names[key])
    end
  end
end
`;
