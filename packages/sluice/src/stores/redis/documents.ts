import type { SharedDocument } from "../../limiter/shared-document.ts";
import { RedisKeyError } from "./errors.ts";
import type { KeyNames } from "./key-names.ts";
import type { Run } from "./runs.ts";
import { scriptOf } from "./script.ts";

/** Nobody asks for a text any more that was not written for so long: 400 days, in milliseconds. */
const LIFE_MS = 34_560_000_000;

/**
 * KEYS[1] has `version:text`. With ARGV[1] empty it is read. Else it is written, if it has that version (0: it is not there),
 * and the reply is 1, or 0 when it has another.
 */
const script = scriptOf(`
local value = redis.call('GET', KEYS[1])
if ARGV[1] == '' then return value end
local version = value and tonumber(string.match(value, '^(%d+):')) or 0
if string.format('%d', version) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], string.format('%d', version + 1) .. ':' .. ARGV[2], 'PX', '${LIFE_MS}')
return 1
`);

/** The shared texts of a store, each under a key of its own. */
export function documents(run: Run, names: KeyNames): (name: string) => SharedDocument {
  return (name) => {
    const keys = [names.beside("documents", `:${name}`)];
    return {
      async read() {
        const value = await run(script, keys, ["", ""]);
        if (value === null || value === undefined) return undefined;
        const [, version, text] = /^(\d+):(.*)$/s.exec(String(value)) ?? [];
        if (version === undefined || text === undefined) throw new RedisKeyError(keys[0]!);
        return { version: Number(version), text };
      },
      replace: async (version, text) => Number(await run(script, keys, [String(version), text])) === 1,
    };
  };
}
