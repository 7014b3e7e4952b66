import type { TakeLua } from "./sliding-window.take.lua.ts";

/** Plain takes from token buckets: see those from sliding windows. */
export function tokenBucketTakeLua([drain, unit, burst]: readonly [number, number, number], slack: number): TakeLua {
  const depth = burst * unit;
  const most = 2 ** 52;
  return {
    decide: `
local floor, ceil, huge = math.floor, math.ceil, math.huge
local keptFrom = ${slack > 0 ? `now - now % ${slack}` : "now + 1"}

for i = 1, n do
  local value, count, begin, isPlain, isDirty, isKept, debt = values[i], 1, r, true, false, false, 0
  if value then
    local size, time = #value, 0
    if size == 11 or size == 14 then
      time, debt = unpackBytes(size == 11 and '>I7I4' or '>I7I7', value)
      local elapsed = now - time
      isPlain, isKept = isPlain and elapsed >= 0 and debt <= ${most}, time >= keptFrom
      debt = elapsed > ${Math.floor(most / drain)} and 0 or max(0, debt - elapsed * ${drain})
    else
      isPlain = false
    end
  end
  if tail then count, t = tail[t], t + 1 end
  for _ = 1, count do
    local cost, least = 1, 1
    if tail then cost, least, t = tail[t], tail[t + 1], t + 2 end
    local granted = cost
    local following = cost <= ${burst} and debt + cost * ${unit} or huge
    if following > ${depth} then
      granted = math.min(cost, max(debt < ${depth} and floor((${depth} - debt) / ${unit}) or 0, least))
      following = granted <= ${burst} and debt + granted * ${unit} or huge
    end
    if following > ${depth} then
      reply[r + 1], reply[r + 2] = -3, debt < ${depth} and floor((${depth} - debt) / ${unit}) or 0
      reply[r + 3] = following == huge and -1 or ceil((following - ${depth}) / ${drain})
      reply[r + 4] = ceil(debt / ${drain})
      r = r + 4
    else
      debt, isDirty = following, true
      reply[r + 1], reply[r + 2] = floor((${depth} - debt) / ${unit}), ceil(debt / ${drain})
      r = r + 2
      if tail then
        r = r + 1
        reply[r] = granted
      end
    end
  end`,
    bytes: "packBytes(debt < 4294967296 and '>I7I4' or '>I7I7', now, debt)",
  };
}
