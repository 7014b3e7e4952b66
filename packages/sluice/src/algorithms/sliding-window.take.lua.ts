/**
 * Plain takes from sliding windows, as Redis does them by far most often: nothing but counting and appending, in
 * local variables. It is the twin of the twin: where anything is out of the ordinary (a clock that was set back, wide
 * entries, damaged bytes) it leaves the key alone and says so.
 */
export const slidingWindowTakeLua = `
local limit, period, granule, isCoarse = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8] == '1'
local headerFormat, header, entryFormat, entryBytes = ARGV[9], tonumber(ARGV[10]), ARGV[11], tonumber(ARGV[12])
local gapEnd, unitEnd, sumEnd = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local ttl, slack, oldest, _ = ARGV[16], tonumber(ARGV[17]), now - period, nil

for i = 1, n do
  local value, count, begin, isDirty = values[i], 1, r, false
  local isOpen, last, first, closed, units, sum, log, at = false, 0, 0, 0, 0, 0, '', 1
  local isPlain, isKept = not (isGuarded and isBlocked(i)), false
  if value then
    isPlain = isPlain and #value >= header and byte(value) == 1 and (#value - header) % entryBytes == 0
    if isPlain then
      _, last, first, closed, units, sum = unpackBytes(headerFormat, value)
      isOpen, first, closed, log, at = true, last - first, last - closed, value, header + 1
      isPlain = last <= now and units <= sum
      isKept = slack > 0 and floor(last / slack) == floor(now / slack)
    end
    while isPlain and isOpen and first <= oldest do
      if at > #log then
        isOpen, sum = false, 0
      else
        local _, ended = unpackBytes(entryFormat, log, at)
        sum, at = sum - ended, at + entryBytes
        first = at > #log and last or first + (unpackBytes(entryFormat, log, at))
      end
    end
  end
  if tail then count, t = tail[t], t + 1 end
  for _ = 1, count do
    local cost, least = 1, 1
    if tail then cost, least, t = tail[t], tail[t + 1], t + 2 end
    local granted = cost
    if sum + cost > limit then granted = min(cost, max(limit - sum, least)) end
    local excess = sum + granted - limit
    if excess > 0 then
      local _, foremost = nil, units
      if at <= #log then _, foremost = unpackBytes(entryFormat, log, at) end
      isPlain = isPlain and (granted > limit or foremost >= excess)
      reply[r + 1], reply[r + 2] = -3, max(0, limit - sum)
      reply[r + 3] = granted > limit and -1 or first + period - now
      reply[r + 4] = sum > 0 and last + period - now or 0
      r = r + 4
    else
      local isOneCharge = isOpen and sum > 0 and (last == now
        or (isCoarse or sum >= limit) and floor(last / granule) == floor(now / granule))
      if isOneCharge then
        if at > #log then first = now end
        units = units + granted
      elseif isOpen then
        local isFirst = at > #log
        local gap = isFirst and 0 or last - closed
        if gap < gapEnd - 1 and units < unitEnd then
          log, at = (isFirst and '' or sub(log, at)) .. packBytes(entryFormat, gap, units), 1
        else
          isPlain = false
        end
        closed, units = last, granted
      else
        isOpen, log, at, first, units = true, '', 1, now, granted
      end
      last, sum, isDirty = now, sum + granted, true
      reply[r + 1] = limit - sum
      if tail then reply[r + 2], r = granted, r + 1 end
      r = r + 1
    end
  end
  if isPlain and isDirty then
    if sum < sumEnd then
      isPlain = write(i, packBytes(headerFormat, 1, last, last - first, at > #log and 0 or last - closed, units, sum) .. sub(log, at), not isKept and ttl)
    else
      isPlain = false
    end
  end
  if not isPlain then r = leave(begin, r, count) end
end
return reply`;

/** How many bytes hold a number, and the first number that they do not hold: as in the twin. */
function bytesAbove(number: number): readonly [bytes: number, end: number] {
  let bytes = 1;
  while (256 ** bytes <= number && bytes < 7) bytes++;
  return [bytes, 256 ** bytes];
}

/** What the script is told about a window: the numbers, and the layout of its states. */
export function slidingWindowTakeTerms(
  [limit, period, granules]: readonly [number, number, number],
  slack: number,
  lingerMs: number,
): string[] {
  const granule = Math.ceil(period / granules);
  const [gapBytes, gapEnd] = bytesAbove(4 * granule);
  const [unitBytes, unitEnd] = bytesAbove((2 * limit) / granules);
  const [sumBytes, sumEnd] = bytesAbove(limit);
  const [periodBytes] = bytesAbove(period);
  return [
    ...[limit, period, granule, limit > granules + 2 ? 1 : 0],
    `>I1I7I${periodBytes}I${periodBytes}I${sumBytes}I${sumBytes}`,
    8 + 2 * periodBytes + 2 * sumBytes,
    `>I${gapBytes}I${unitBytes}`,
    gapBytes + unitBytes,
    ...[gapEnd, unitEnd, sumEnd],
    Math.ceil((period + 2 * slack) / 1000) + lingerMs,
    slack,
  ].map(String);
}
