import type { Config } from "../config/schema.ts";
import { type Engine, engineOf, type Ruling } from "./engine.ts";
import type { LoggedCall } from "./logged-call.ts";
import { NO_TIER } from "./tally.ts";
import { type VariedLimit, variedLimits, withUnits } from "./varied-limits.ts";

/** The smallest limit that would have refused few enough calls. */
export interface Suggestion {
  /** Where it stands: `perClient`, `tools.search`, a policy by its name. */
  readonly limit: string;
  /** Whose calls; `undefined`: those of all together. */
  readonly tier?: string;
  /** The rate as it is written. */
  readonly now: string;
  /** The same with the fewest units; `undefined`: even the largest that was tried refuses too much. */
  readonly smallest?: string;
  /** Calls that fell under it. */
  readonly calls: number;
  /** How many of them the smallest one refuses. */
  readonly refused: number;
  /** And how many with one unit less. `undefined`: it has a single unit. */
  readonly oneLess?: number;
}

export interface SuggestOptions {
  readonly config: Config;
  /** The tiers in the log, by their names. */
  readonly tiers: readonly string[];
  /** Which part of the calls may be refused, from 0 to 1. */
  readonly part: number;
  /** Reads the log from its beginning. */
  read(): AsyncIterable<readonly LoggedCall[]>;
}

/** One limit for one tier, with some numbers of units at a time. */
interface Search {
  readonly varied: VariedLimit;
  readonly tier: string | undefined;
  /** It refuses too many. 0: so does none at all. */
  tooFew: number;
  /** It refuses few enough. `undefined`: none is known yet. */
  enough: number | undefined;
  tries: Try[];
  calls: number;
}

interface Try {
  readonly units: number;
  readonly engine: Engine;
  refused: number;
}

/** Numbers that are tried first: each is four times the one before. */
const FIRST = Array.from({ length: 13 }, (_, i) => 4 ** i);
/** Numbers that are tried between two in each further reading of the log. */
const BETWEEN = 7;
/** Tiers that are looked at, those with most calls first. */
const MOST_TIERS = 10;

/**
 * For each rate of a policy file and each tier the smallest number of units of which at most `part` of the calls are refused. Each is
 * tried by itself, with the same engine, on the whole log: first with numbers far apart, then with more and more between the largest
 * that refuses too much and the smallest that does not, until these are neighbours.
 */
export async function suggest({ config, tiers, part, read }: SuggestOptions): Promise<readonly Suggestion[]> {
  const searches = searchesOf(config, tiers.slice(0, MOST_TIERS));
  for (const search of searches) search.tries = triesOf(search.varied, FIRST);
  const table = new Map(Object.entries(config.tier?.clients ?? {}));
  const tierOf = ({ tier, client }: LoggedCall): string => tier ?? table.get(client) ?? NO_TIER;
  while (searches.some(({ tries }) => tries.length > 0)) {
    await run(searches, read(), tierOf);
    for (const search of searches) narrow(search, part);
  }
  for (const search of searches) {
    if (search.enough === undefined) continue;
    search.tries = triesOf(
      search.varied,
      [search.enough, search.tooFew].filter((units) => units > 0),
    );
  }
  await run(searches, read(), tierOf);
  return searches.filter(({ calls }) => calls > 0).map(suggestionOf);
}

function searchesOf(config: Config, tiers: readonly string[]): Search[] {
  return variedLimits(config).flatMap((varied) => {
    const { ofTier, otherTiers, isShared } = varied;
    const own = tiers.filter((tier) =>
      ofTier === undefined || ofTier === "*" ? !otherTiers.includes(tier) : tier === ofTier,
    );
    const all: readonly (string | undefined)[] =
      isShared || (ofTier === undefined && tiers.length <= 1) ? [undefined] : own;
    return all.map((tier) => ({ varied, tier, tooFew: 0, enough: undefined, tries: [], calls: 0 }));
  });
}

function triesOf(varied: VariedLimit, numbers: readonly number[]): Try[] {
  return numbers.flatMap((units) => {
    try {
      return [{ units, engine: engineOf(varied.withUnits(units), { enforce: true }), refused: 0 }];
    } catch (error) {
      // There is a largest number for every period.
      if (error instanceof RangeError) return [];
      throw error;
    }
  });
}

async function run(
  searches: readonly Search[],
  batches: AsyncIterable<readonly LoggedCall[]>,
  tierOf: (call: LoggedCall) => string,
): Promise<void> {
  for (const search of searches) if (search.tries.length > 0) search.calls = 0;
  for await (const batch of batches) {
    for (const call of batch) {
      const tier = tierOf(call);
      const time = Math.round(call.time * 1000);
      for (const search of searches) {
        if (search.tries.length === 0 || (search.tier !== undefined && search.tier !== tier)) continue;
        let isUnder = false;
        for (const one of search.tries) {
          const moved = one.engine.moveTo(time);
          if (moved !== undefined) await moved;
          const ruling = one.engine.decide(call) as Ruling;
          if (!ruling.allowed) one.refused++;
          if (ruling.quota !== "") isUnder = true;
        }
        if (isUnder) search.calls++;
      }
    }
  }
}

/** What is tried next: nothing, when the two bounds are neighbours. */
function narrow(search: Search, part: number): void {
  const { tries, calls, varied } = search;
  if (tries.length === 0) return;
  for (const { units, refused } of tries) {
    if (refused <= part * calls) search.enough = Math.min(units, search.enough ?? Infinity);
  }
  const below = tries.filter(({ units, refused }) => refused > part * calls && units < (search.enough ?? Infinity));
  search.tooFew = Math.max(search.tooFew, ...below.map(({ units }) => units));
  search.tries =
    search.enough === undefined || calls === 0 ? [] : triesOf(varied, between(search.tooFew, search.enough));
}

function between(low: number, high: number): readonly number[] {
  const gap = high - low;
  if (gap - 1 <= BETWEEN) return Array.from({ length: Math.max(0, gap - 1) }, (_, i) => low + i + 1);
  return Array.from({ length: BETWEEN }, (_, i) => low + Math.round((gap * (i + 1)) / (BETWEEN + 1)));
}

function suggestionOf({ varied: { limit, rate }, tier, enough, tries, calls }: Search): Suggestion {
  const about = { limit, ...(tier !== undefined && { tier }), now: rate, calls };
  if (enough === undefined) return { ...about, refused: 0 };
  const [smallest, oneLess] = tries;
  return {
    ...about,
    smallest: withUnits(rate, enough),
    refused: smallest!.refused,
    ...(oneLess !== undefined && { oneLess: oneLess.refused }),
  };
}
