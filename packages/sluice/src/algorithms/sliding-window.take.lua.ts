/** A part of the short script: what is done for one quota. */
export interface TakeLua {
  /** Decides about one account after the other. Leaves the loop over them open. */
  readonly decide: string;
  /** The state of an account as bytes: an expression. */
  readonly bytes: string;
}

/**
 * Plain takes from sliding windows, as Redis does them by far most often: nothing but counting and appending, in
 * local variables. It is the twin of the twin: where anything is out of the ordinary (a clock that was set back, wide
 * entries, damaged bytes) it leaves the key alone and says so.
 *
 * The numbers of the quota stand in the text, for reading them from arguments takes as long as deciding.
 *
 * @param slack a key's end is moved when a charge is the first in such a part of time. In microseconds; 0: each time
 * @returns what decides about one account, and what its state is as bytes
 */
export function slidingWindowTakeLua(
  [limit, period, granules]: readonly [number, number, number],
  slack: number,
): TakeLua {
  const granule = Math.ceil(period / granules);
  const [gapBytes, gapEnd] = bytesAbove(4 * granule);
  const [unitBytes, unitEnd] = bytesAbove((2 * limit) / granules);
  const [sumBytes, sumEnd] = bytesAbove(limit);
  const [periodBytes] = bytesAbove(period);
  const header = 8 + 2 * periodBytes + 2 * sumBytes;
  const headerFormat = `'>I1I7I${periodBytes}I${periodBytes}I${sumBytes}I${sumBytes}'`;
  const entry = gapBytes + unitBytes;
  const entryFormat = `'>I${gapBytes}I${unitBytes}'`;
  return {
    decide: `
local oldest, granuleFrom, keptFrom, _ = now - ${period}, now - now % ${granule}, ${slack > 0 ? `now - now % ${slack}` : "now + 1"}, nil

for i = 1, n do
  local value, count, begin, isPlain, isDirty, isKept = values[i], 1, r, true, false, false
  local isOpen, last, first, closed, units, sum, log, at = false, 0, 0, 0, 0, 0, '', 1
  if value then
    isPlain = isPlain and #value >= ${header} and string.byte(value) == 1 and (#value - ${header}) % ${entry} == 0
    if isPlain then
      _, last, first, closed, units, sum = unpackBytes(${headerFormat}, value)
      isOpen, first, closed, log, at = true, last - first, last - closed, value, ${header + 1}
      isPlain, isKept = last <= now and units <= sum, last >= keptFrom
      while isPlain and isOpen and first <= oldest do
        if at > #log then
          isOpen, sum = false, 0
        else
          local _, ended = unpackBytes(${entryFormat}, log, at)
          sum, at = sum - ended, at + ${entry}
          first = at > #log and last or first + (unpackBytes(${entryFormat}, log, at))
        end
      end
    end
  end
  if tail then count, t = tail[t], t + 1 end
  for _ = 1, count do
    local cost, least = 1, 1
    if tail then cost, least, t = tail[t], tail[t + 1], t + 2 end
    local granted = cost
    if sum + cost > ${limit} then granted = math.min(cost, max(${limit} - sum, least)) end
    local excess = sum + granted - ${limit}
    if excess > 0 then
      local _, foremost = nil, units
      if at <= #log then _, foremost = unpackBytes(${entryFormat}, log, at) end
      isPlain = isPlain and (granted > ${limit} or foremost >= excess)
      reply[r + 1], reply[r + 2] = -3, max(0, ${limit} - sum)
      reply[r + 3] = granted > ${limit} and -1 or first + ${period} - now
      reply[r + 4] = sum > 0 and last + ${period} - now or 0
      r = r + 4
    else
      if isOpen and sum > 0 and (last == now or (${limit > granules + 2 ? "true" : `sum >= ${limit}`}) and last >= granuleFrom) then
        if at > #log then first = now end
        units = units + granted
      elseif isOpen then
        local isFirst = at > #log
        local gap = isFirst and 0 or last - closed
        if gap < ${gapEnd - 1} and units < ${unitEnd} then
          log, at = (isFirst and '' or string.sub(log, at)) .. packBytes(${entryFormat}, gap, units), 1
        else
          isPlain = false
        end
        closed, units = last, granted
      else
        isOpen, log, at, first, units = true, '', 1, now, granted
      end
      last, sum, isDirty = now, sum + granted, true
      r = r + 1
      reply[r] = ${limit} - sum
      if tail then
        r = r + 1
        reply[r] = granted
      end
    end
  end
  isPlain = isPlain and sum < ${sumEnd}`,
    bytes: `packBytes(${headerFormat}, 1, last, last - first, at > #log and 0 or last - closed, units, sum) .. string.sub(log, at)`,
  };
}

/** How many bytes hold a number, and the first number that they do not hold: as in the twin. */
function bytesAbove(number: number): readonly [bytes: number, end: number] {
  let bytes = 1;
  while (256 ** bytes <= number && bytes < 7) bytes++;
  return [bytes, 256 ** bytes];
}
