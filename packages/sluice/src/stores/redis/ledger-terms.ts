import { type CalendarUnit, calendar, type Windows } from "../../algorithms/calendar.ts";
import { shown } from "../../algorithms/numbers.ts";
import type { Ledger } from "../../limiter/store.ts";
import { algorithmNames } from "./twins.lua.ts";

/** A ledger in the words of the script: the number of its algorithm, and what its twin is made of, as JSON. */
export interface LedgerTerms {
  /** @param wall the time about which windows of the calendar are told, in microseconds */
  at(wall: number): string;
}

/** @throws TypeError for an algorithm that has no twin in Lua. */
export function assertKnown({ algorithm: { name } }: Ledger): void {
  if (algorithmNames.includes(name)) return;
  throw new TypeError(
    `A Redis store knows the algorithms ${algorithmNames.join(", ")}, but this quota's algorithm is ${shown(name)}. ` +
      "Use one of those, or keep this quota in memory or in SQLite.",
  );
}

export function ledgerTerms({ algorithm: { name, params, carries } }: Ledger): LedgerTerms {
  const start = [algorithmNames.indexOf(name) + 1, carries ? 1 : 0];
  const [limit, unit, timeZone] = params;
  if (typeof unit === "string") {
    const ends = endsOf(calendar(unit as CalendarUnit, timeZone as string));
    return { at: (wall) => JSON.stringify([...start, limit, ...ends(wall)]) };
  }
  const text = JSON.stringify([...start, ...params]);
  return { at: () => text };
}

/** The longest window, a time before `wall`, and the ends of the windows from there on, up to one that is yet to begin. */
function endsOf({ longest, endAfter }: Windows): (wall: number) => readonly number[] {
  let from = Infinity;
  let until = -Infinity;
  let told: readonly number[] = [];
  return (wall) => {
    if (wall < from + longest / 2 || wall >= until) {
      from = Math.max(0, Math.floor(wall - longest));
      const ends = [endAfter(from)];
      while (ends.at(-1)! <= wall) ends.push(endAfter(ends.at(-1)!));
      until = ends.at(-1)!;
      told = [longest, from, ...ends, endAfter(until)];
    }
    return told;
  };
}
