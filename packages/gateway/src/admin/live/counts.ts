import type { KnownLimit, McpCall, McpDecisionEvent } from "sluice/mcp";
import { newsOfCalls } from "./news.ts";

/** What was decided within a second. */
export interface Second {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
  allowed: number;
  /** Of the allowed: those that stood in line first. */
  waited: number;
  refused: number;
  /** Of the allowed: those that a limit on trial would have refused. */
  shadow: number;
  /** Decisions that were made without the store. */
  degraded: number;
  /** Of the refused: those that went round in a loop. */
  loops: number;
}

export interface ToolRow {
  readonly tool: string;
  passed: number;
  refused: number;
  waited: number;
  lastAt: number;
}

export interface LimitRow {
  /** The name of the policy or limit, as overrides name it. */
  readonly policy: string;
  readonly quota: string;
  readonly rate: string;
  readonly limit: number;
  readonly periodMs: number;
  readonly mode: "enforce" | "shadow";
  calls: number;
  refused: number;
  /** How full it was after how many calls: up to a quarter, a half, three quarters, 90 %, all of it. */
  readonly fullness: number[];
  lastAt?: number;
  lastRefusedAt?: number;
  /** Whether it stands in the policies. Others are those of overrides, of other times, or have been taken out. */
  isInForce: boolean;
}

/** How much was decided, by second, tool and limit. */
export interface Counts {
  saw(event: McpDecisionEvent): void;
  /** Seconds from this time on in which there was something, at most the last 15 minutes. */
  series(since: number): readonly Second[];
  /** So long took 99 of 100 of the last decisions at most, the time in line not. In milliseconds. @default nothing was decided yet */
  readonly slowMs: number | undefined;
  tools(): readonly ToolRow[];
  /** These, and all that were met. */
  limits(known: readonly KnownLimit[]): readonly LimitRow[];
}

const KEPT_SECONDS = 900;
/** Of so many decisions it is known how long they took. */
const LAST = 1_000;
/** Bounds of how full a limit is. */
const FULLNESS = [0.25, 0.5, 0.75, 0.9, Infinity];
/** Clients choose names of tools as they like. */
const MOST_TOOLS = 200;
const OTHERS = "(other tools)";
const MOST_LIMITS = 5_000;

export function counts(now: () => number = Date.now): Counts {
  const seconds: Second[] = [];
  const tools = new Map<string, ToolRow>();
  const limits = new Map<string, LimitRow>();
  const newsOf = newsOfCalls();
  const took = new Float64Array(LAST);
  let decided = 0;

  function current(): Second {
    const at = Math.floor(now() / 1000) * 1000;
    let second = seconds.at(-1);
    if (second === undefined || second.at < at) {
      second = nothingAt(at);
      seconds.push(second);
      while (seconds[0]!.at <= at - KEPT_SECONDS * 1000) seconds.shift();
    }
    return second;
  }

  function toolOf(name: string): ToolRow {
    const known = tools.get(name);
    if (known !== undefined) return known;
    const tool = tools.size >= MOST_TOOLS ? OTHERS : name;
    const row = tools.get(tool) ?? { tool, passed: 0, refused: 0, waited: 0, lastAt: 0 };
    tools.set(tool, row);
    return row;
  }

  /** Tiers and overrides have quotas of one name: they differ by what they say. */
  function limitOf({ policy, quota, mode }: Pick<KnownLimit, "policy" | "quota" | "mode">): LimitRow {
    const { name, text: rate, limit, periodMs } = quota;
    const key = `${mode}/${policy}/${name}/${rate}`;
    let row = limits.get(key);
    if (row === undefined) {
      const about = { policy, quota: name, rate, limit, periodMs, mode, isInForce: false };
      row = { ...about, calls: 0, refused: 0, fullness: [0, 0, 0, 0, 0] };
      if (limits.size < MOST_LIMITS) limits.set(key, row);
    }
    return row;
  }

  function countCall(second: Second, { tool: name }: McpCall, hasPassed: boolean, waitedMs: number): void {
    if (!hasPassed) second.refused++;
    else {
      second.allowed++;
      if (waitedMs > 0) second.waited++;
    }
    if (name === undefined) return;
    const tool = toolOf(name);
    if (hasPassed) tool.passed++;
    else tool.refused++;
    if (waitedMs > 0) tool.waited++;
    tool.lastAt = now();
  }

  return {
    saw(event) {
      const { call, mode, decision, decisions, waitedMs, tookMs, refusal } = event;
      const { isNewCall, isFirstRefusalOnTrial } = newsOf(event);
      const second = current();
      took[decided++ % LAST] = tookMs;
      if (decision.degraded) second.degraded++;
      if (refusal?.loop !== undefined) second.loops++;
      if (isFirstRefusalOnTrial) second.shadow++;
      if (isNewCall) countCall(second, call, mode === "shadow" || decision.allowed, waitedMs);
      for (const { policy, quota, decision: one } of decisions) {
        const limit = limitOf({ policy, quota, mode });
        limit.calls++;
        limit.lastAt = now();
        const used = 1 - one.remaining / one.limit;
        limit.fullness[FULLNESS.findIndex((most) => used <= most)]!++;
        if (one.allowed) continue;
        limit.refused++;
        limit.lastRefusedAt = now();
      }
    },
    get slowMs() {
      const known = took.slice(0, Math.min(decided, LAST)).sort();
      return known.length === 0 ? undefined : known[Math.ceil(known.length * 0.99) - 1];
    },
    series: (since) => seconds.filter(({ at }) => at >= since),
    tools: () => [...tools.values()].sort((a, b) => b.passed + b.refused - a.passed - a.refused),
    limits(known) {
      for (const row of limits.values()) row.isInForce = false;
      for (const limit of known) limitOf(limit).isInForce = true;
      const rows = [...limits.values()];
      return [
        ...rows.filter(({ isInForce }) => isInForce),
        ...rows.filter(({ isInForce, calls }) => !isInForce && calls > 0),
      ];
    },
  };
}

const nothingAt = (at: number): Second => ({ at, allowed: 0, waited: 0, refused: 0, shadow: 0, degraded: 0, loops: 0 });
