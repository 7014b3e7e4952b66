import { blockLua } from "../../algorithms/block.lua.ts";
import { concurrencyLua } from "../../algorithms/concurrency.lua.ts";
import { fixedWindowLua } from "../../algorithms/fixed-window.lua.ts";
import { slidingWindowLua } from "../../algorithms/sliding-window.lua.ts";
import { tokenBucketLua } from "../../algorithms/token-bucket.lua.ts";

/** The algorithms that Redis knows: a request names one by its place in this list. */
const TWINS: Readonly<Record<string, string>> = {
  "token-bucket": tokenBucketLua,
  "sliding-window": slidingWindowLua,
  "fixed-window": fixedWindowLua,
  concurrency: concurrencyLua,
  block: blockLua,
};

export const algorithmNames: readonly string[] = Object.keys(TWINS);

/** How scripts begin that decide by the algorithms: short names for what all of them need, and `twins`. */
export const twinsLua = `local format, call = string.format, redis.call
local floor, ceil, max, min, huge = math.floor, math.ceil, math.max, math.min, math.huge
local packBytes, unpackBytes = struct.pack, struct.unpack
local twins = {
${Object.values(TWINS).join(",\n")}
}
`;
