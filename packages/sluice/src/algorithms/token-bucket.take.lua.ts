/** Plain takes from token buckets: see those from sliding windows. */
export const tokenBucketTakeLua = `
local drain, unit, burst, ttl, slack = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
local depth, longest = burst * unit, floor(4503599627370496 / drain)

for i = 1, n do
  local value, count, begin, isDirty, debt = values[i], 1, r, false, 0
  local isPlain, isKept = not (isGuarded and isBlocked(i)), false
  if value then
    local size, time = #value, 0
    if size == 11 or size == 14 then
      time, debt = unpackBytes(size == 11 and '>I7I4' or '>I7I7', value)
      local elapsed = now - time
      isKept = slack > 0 and floor(time / slack) == floor(now / slack)
      isPlain = isPlain and elapsed >= 0 and debt <= 4503599627370496
      debt = elapsed > longest and 0 or max(0, debt - elapsed * drain)
    else
      isPlain = false
    end
  end
  if tail then count, t = tail[t], t + 1 end
  for _ = 1, count do
    local cost, least = 1, 1
    if tail then cost, least, t = tail[t], tail[t + 1], t + 2 end
    local granted = cost
    local following = cost <= burst and debt + cost * unit or huge
    if following > depth then
      granted = min(cost, max(debt < depth and floor((depth - debt) / unit) or 0, least))
      following = granted <= burst and debt + granted * unit or huge
    end
    if following > depth then
      reply[r + 1], reply[r + 2] = -3, debt < depth and floor((depth - debt) / unit) or 0
      reply[r + 3] = following == huge and -1 or ceil((following - depth) / drain)
      reply[r + 4] = ceil(debt / drain)
      r = r + 4
    else
      debt, isDirty = following, true
      reply[r + 1], reply[r + 2] = floor((depth - debt) / unit), ceil(debt / drain)
      if tail then reply[r + 3], r = granted, r + 1 end
      r = r + 2
    end
  end
  if isPlain and isDirty then
    local bytes = packBytes(debt < 4294967296 and '>I7I4' or '>I7I7', now, debt)
    isPlain = write(i, bytes, not isKept and ttl)
  end
  if not isPlain then r = leave(begin, r, count) end
end
return reply`;
