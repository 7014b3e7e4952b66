import { type ClientRow, type ClientRows, clientRows } from "./client-rows.ts";
import { type Delays, delays } from "./delays.ts";
import type { Ruling } from "./engine.ts";
import type { LoggedCall } from "./logged-call.ts";
import { type Timeline, timeline } from "./timeline.ts";

/** What became of a call in the end. */
export interface Outcome extends Ruling {
  /** By how much it was later than in the log, in milliseconds. */
  readonly delayMs?: number;
  /** How often it was tried. @default 1 */
  readonly tries?: number;
}

/** What became of calls of one kind. */
export interface Counts {
  calls: number;
  refused: number;
  wasRefused: number;
  newlyRefused: number;
  newlyAllowed: number;
}

/** How often a limit refused. */
export interface LimitCounts {
  refused: number;
  longestMs: number;
  firstAt: number;
  lastAt: number;
}

/** Adds up what became of calls, in memory that does not grow with their number. */
export interface Tally {
  add(call: LoggedCall, now: Outcome, was: Outcome): void;
  readonly all: Counts;
  readonly tiers: ReadonlyMap<string, Counts>;
  readonly tools: ReadonlyMap<string, Counts>;
  readonly limits: ReadonlyMap<string, LimitCounts>;
  /** What limits on trial would have refused. */
  readonly trials: ReadonlyMap<string, LimitCounts>;
  readonly clients: ClientRows;
  readonly timeline: Timeline;
  /** Of the calls that were let through, those that were later. */
  readonly delays: Delays;
  /** Refusals that name no time after which the call would pass. */
  readonly never: number;
  /** Calls that were refused when the log was written. */
  readonly loggedRefused: number;
  /** In milliseconds since 1970. */
  readonly first: number | undefined;
  readonly last: number | undefined;
}

/** Names that are counted each by itself. */
const MOST_NAMES = 500;
const OTHERS = "(others)";
export const NO_TIER = "(none)";

const counts = (): Counts => ({ calls: 0, refused: 0, wasRefused: 0, newlyRefused: 0, newlyAllowed: 0 });

function rowOf<T>(rows: Map<string, T>, name: string, fresh: () => T): T {
  let row = rows.get(name);
  if (row !== undefined) return row;
  const key = rows.size < MOST_NAMES ? name : OTHERS;
  row = rows.get(key) ?? fresh();
  rows.set(key, row);
  return row;
}

export interface TallyOptions {
  readonly clients?: ClientRows;
}

export function tally({ clients = clientRows() }: TallyOptions = {}): Tally {
  const all = counts();
  const tiers = new Map<string, Counts>();
  const tools = new Map<string, Counts>();
  const limits = new Map<string, LimitCounts>();
  const trials = new Map<string, LimitCounts>();
  const slices = timeline();
  const late = delays();
  let never = 0;
  let loggedRefused = 0;
  let first: number | undefined;
  let last: number | undefined;

  function refusedBy(
    rows: Map<string, LimitCounts>,
    { quota, retryAfterMs }: Pick<Outcome, "quota" | "retryAfterMs">,
    time: number,
  ): void {
    const row = rowOf(rows, quota, () => ({ refused: 0, longestMs: 0, firstAt: time, lastAt: time }));
    row.refused++;
    row.lastAt = time;
    if (retryAfterMs > row.longestMs && retryAfterMs !== Infinity) row.longestMs = retryAfterMs;
  }

  function refuse(row: ClientRow, { quota, retryAfterMs }: Outcome, time: number): void {
    row.firstAt ??= time;
    row.lastAt = time;
    row.limits.set(quota, (row.limits.get(quota) ?? 0) + 1);
    if (retryAfterMs === Infinity) {
      never++;
      return;
    }
    if (retryAfterMs > row.longestMs) row.longestMs = retryAfterMs;
    const until = time + retryAfterMs;
    if (until <= row.limitedUntil) return;
    row.limitedMs += until - Math.max(time, row.limitedUntil);
    row.limitedUntil = until;
  }

  return {
    add(call, now, was) {
      const { time, client, tier, tool, method } = call;
      if (first === undefined || time < first) first = time;
      if (last === undefined || time > last) last = time;
      const row = clients.of(client);
      if (tier !== undefined) row.tier = tier;
      if (call.allowed === false) loggedRefused++;
      const ofTier = rowOf(tiers, tier ?? NO_TIER, counts);
      const ofTool = rowOf(tools, tool ?? method, counts);
      all.calls++;
      row.calls++;
      ofTier.calls++;
      ofTool.calls++;
      slices.add(time, !now.allowed, !was.allowed);
      if (now.onTrial !== undefined) refusedBy(trials, now.onTrial, time);
      if (now.allowed && now.delayMs) late.add(now.delayMs);
      if (now.allowed && was.allowed) return;
      clients.note(row);
      for (const one of [all, row, ofTier, ofTool]) {
        if (!now.allowed) one.refused++;
        if (!was.allowed) one.wasRefused++;
        if (was.allowed && !now.allowed) one.newlyRefused++;
        if (now.allowed && !was.allowed) one.newlyAllowed++;
      }
      if (now.allowed) return;
      refusedBy(limits, now, time);
      refuse(row, now, time);
    },
    all,
    tiers,
    tools,
    limits,
    trials,
    clients,
    timeline: slices,
    delays: late,
    get never() {
      return never;
    },
    get loggedRefused() {
      return loggedRefused;
    },
    get first() {
      return first;
    },
    get last() {
      return last;
    },
  };
}
