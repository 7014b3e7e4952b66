import type { Behaviour } from "./crowd.ts";
import { notesOf } from "./notes.ts";
import type { LogStats } from "./readers/read-log.ts";
import type { Replayed } from "./replay.ts";
import type { Suggestion } from "./suggest.ts";
import type { Counts, LimitCounts } from "./tally.ts";
import type { Slice } from "./timeline.ts";

/** What a replay has come to, for programs. Times are ISO 8601, durations milliseconds. */
export interface Report {
  /** Of this form. */
  readonly version: 1;
  readonly logs: readonly string[];
  readonly policy: string;
  /** The policy file, or the log itself. */
  readonly comparedWith: string;
  readonly behaviour: Behaviour;
  readonly from?: string;
  readonly to?: string;
  readonly figures: Figures;
  readonly tiers: readonly ({ readonly tier: string } & Counts)[];
  readonly tools: readonly ({ readonly tool: string } & Counts)[];
  readonly limits: readonly ReportedLimit[];
  /** What limits on trial would have refused. */
  readonly trials: readonly ReportedLimit[];
  /** Those with the most refusals, and those with the most changes. */
  readonly clients: readonly ReportedClient[];
  readonly timeline: { readonly sliceMs: number; readonly slices: readonly Slice[] };
  readonly badLines: LogStats["badLines"];
  readonly notes: readonly string[];
  readonly suggestions?: readonly Suggestion[];
}

/** What can be asked of a report by name. */
export interface Figures {
  readonly calls: number;
  readonly refused: number;
  readonly was_refused: number;
  readonly newly_refused: number;
  readonly newly_allowed: number;
  readonly clients: number;
  readonly refused_clients: number;
  readonly newly_refused_clients: number;
  /** Calls that limits on trial would have refused. */
  readonly on_trial: number;
  /** Calls that passed later than they came. */
  readonly waited: number;
  readonly wait_p50_ms: number;
  readonly wait_p95_ms: number;
  readonly longest_wait_ms: number;
  /** The longest time that somebody was told to wait. */
  readonly longest_block_ms: number;
  readonly bad_lines: number;
}

interface ReportedLimit {
  readonly limit: string;
  readonly refused: number;
  readonly longestMs: number;
  readonly firstAt: string;
  readonly lastAt: string;
}

export interface ReportedClient extends Counts {
  readonly client: string;
  readonly tier?: string;
  readonly firstAt?: string;
  readonly lastAt?: string;
  /** For how long in all a call would have been refused again. */
  readonly limitedMs: number;
  readonly longestMs: number;
  readonly limits: Readonly<Record<string, number>>;
}

export interface ReportOptions {
  readonly replayed: Replayed;
  readonly stats: LogStats;
  readonly logs: readonly string[];
  readonly policy: string;
  readonly against?: string | undefined;
  readonly behaviour: Behaviour;
  /** Clients in the report. */
  readonly top: number;
  /** What the policy looks at in arguments, headers and results. */
  readonly needed: readonly string[];
  readonly suggestions?: readonly Suggestion[] | undefined;
}

const iso = (ms: number): string => new Date(ms).toISOString();

export function reportOf(options: ReportOptions): Report {
  const { replayed, stats, logs, policy, against, behaviour, top, suggestions } = options;
  const { tally } = replayed;
  const { all, first, last, clients, delays } = tally;
  const noted = [...clients.noted.values()];
  const trials = limitsOf(tally.trials);
  return {
    version: 1,
    logs,
    policy,
    comparedWith: against ?? "the log",
    behaviour,
    ...(first !== undefined && { from: iso(first) }),
    ...(last !== undefined && { to: iso(last) }),
    figures: {
      calls: all.calls,
      refused: all.refused,
      was_refused: all.wasRefused,
      newly_refused: all.newlyRefused,
      newly_allowed: all.newlyAllowed,
      clients: clients.known,
      refused_clients: noted.filter(({ refused }) => refused > 0).length,
      newly_refused_clients: noted.filter(({ newlyRefused }) => newlyRefused > 0).length,
      on_trial: trials.reduce((sum, { refused }) => sum + refused, 0),
      waited: delays.count,
      wait_p50_ms: Math.round(delays.percentile(0.5)),
      wait_p95_ms: Math.round(delays.percentile(0.95)),
      longest_wait_ms: Math.round(delays.longestMs),
      longest_block_ms: noted.reduce((most, { longestMs }) => Math.max(most, longestMs), 0),
      bad_lines: stats.bad,
    },
    tiers: rowsOf(tally.tiers).map(([tier, row]) => ({ tier, ...row })),
    tools: rowsOf(tally.tools).map(([tool, row]) => ({ tool, ...row })),
    limits: limitsOf(tally.limits),
    trials,
    clients: [...noted]
      .sort((a, b) => changesOf(b) - changesOf(a) || b.refused - a.refused || (a.client < b.client ? -1 : 1))
      .slice(0, top)
      .map(({ tier, firstAt, lastAt, limits, limitedUntil: _, ...row }) => ({
        ...row,
        ...(tier !== undefined && { tier }),
        ...(firstAt !== undefined && { firstAt: iso(firstAt) }),
        ...(lastAt !== undefined && { lastAt: iso(lastAt) }),
        limits: Object.fromEntries(limits),
      })),
    timeline: { sliceMs: tally.timeline.sliceMs, slices: tally.timeline.slices },
    badLines: stats.badLines,
    notes: notesOf(options),
    ...(suggestions && { suggestions }),
  };
}

const changesOf = ({ newlyRefused, newlyAllowed }: Counts): number => newlyRefused + newlyAllowed;

const rowsOf = (rows: ReadonlyMap<string, Counts>): readonly (readonly [string, Counts])[] =>
  [...rows].sort(([, a], [, b]) => b.calls - a.calls);

const limitsOf = (rows: ReadonlyMap<string, LimitCounts>): readonly ReportedLimit[] =>
  [...rows]
    .sort(([, a], [, b]) => b.refused - a.refused)
    .map(([limit, { refused, longestMs, firstAt, lastAt }]) => ({
      limit,
      refused,
      longestMs,
      firstAt: iso(firstAt),
      lastAt: iso(lastAt),
    }));
