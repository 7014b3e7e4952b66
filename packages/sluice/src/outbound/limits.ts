import type { Algorithm } from "../algorithms/algorithm.ts";
import { block } from "../algorithms/block.ts";
import { concurrency } from "../algorithms/concurrency.ts";
import { shown, wholeNumber } from "../algorithms/numbers.ts";
import { slidingWindow } from "../algorithms/sliding-window.ts";
import type { Quota } from "../limiter/quota.ts";
import { type QuotaLike, toQuotas } from "../limiter/rate.ts";
import { keyFor, type QueueRule, type QueueTerms } from "../limiter/shared-queue.ts";
import { ledger } from "../limiter/store.ts";

/** Whose calls fall under one limit together. */
export type LimitScope = "upstream" | "tenant" | "endpoint";

/**
 * What a window is measured by. `"start"`: no more calls than the limit start in any window. `"end"`: no more arrive at
 * the server, however long they are on their way: a unit is free one period after its call has *ended*.
 */
export type Anchor = "start" | "end";

/** A limit of an upstream, in full. */
export interface LimitOptions {
  /** `"10/min"`, `"100000/day UTC"`, `perSecond(300)`. */
  readonly rate: QuotaLike;
  /** Each tenant (or endpoint) has such a limit of its own. @default "upstream" */
  readonly per?: LimitScope;
  /** @default that of the upstream, which is "start" unless given */
  readonly anchor?: Anchor;
}

export type LimitLike = QuotaLike | LimitOptions;

/** One limit, understood. */
export interface Limit {
  /** Tells it from the other limits of the upstream. */
  readonly name: string;
  readonly quota: Quota;
  readonly per: LimitScope;
  readonly anchor: Anchor;
}

/** In microseconds: how long places are kept for a process that is not heard of, and how long it may be silent. */
const PLACE_LEASE = 15_000_000;
const OWNER_LIFE = 5_000_000;
/** Calls that end are remembered one by one up to so many units, and over so long a period. */
const MAX_ENDS = 1_000;
const MAX_END_PERIOD_MS = 3_000_000;
/** A granted call starts within this part of the shortest period, and within these bounds: what grants cost of a limit. */
const GRACE_PART = 50;
const GRACE_FROM = 10_000;
const GRACE_TO = 250_000;

/** @throws RangeError for limits that cannot be, TypeError for what is none. */
export function toLimits(upstream: string, given: LimitLike | readonly LimitLike[], anchor: Anchor): readonly Limit[] {
  const limits = [given].flat().map((one) => toLimit(upstream, one as LimitLike, anchor));
  limits.forEach(({ name, per }, i) => {
    if (limits.findIndex((other) => other.name === name) !== i) {
      throw new RangeError(
        `Upstream "${upstream}" has two limits "${name}" per ${per}: give one of them another name, such as perMinute(60, { name: "…" }).`,
      );
    }
  });
  return limits;
}

function toLimit(upstream: string, given: LimitLike, standard: Anchor): Limit {
  const isFull = typeof given === "object" && given !== null && "rate" in given;
  const { rate, per = "upstream", anchor } = isFull ? given : { rate: given as QuotaLike };
  const [quota] = toQuotas(rate) as [Quota];
  if (per !== "upstream" && per !== "tenant" && per !== "endpoint") {
    throw new TypeError(
      `A limit is per "upstream", "tenant" or "endpoint", but "${upstream}" has one per ${shown(per)}.`,
    );
  }
  if (anchor !== undefined) anchorOf(upstream, anchor);
  const isWindow = quota.algorithm.name === "sliding-window";
  if (anchor === "end" && !isWindow) {
    throw new RangeError(
      `The limit "${quota.text}" of "${upstream}" cannot have anchor "end": only windows such as "10/min" can.`,
    );
  }
  return {
    name: per === "upstream" ? quota.name : `${quota.name}.${per}`,
    quota,
    per,
    anchor: isWindow ? (anchor ?? standard) : "start",
  };
}

export function anchorOf(upstream: string, anchor: unknown): Anchor {
  if (anchor === "start" || anchor === "end") return anchor;
  throw new TypeError(`The anchor of "${upstream}" is "start" or "end", but it is ${shown(anchor)}.`);
}

/** Whether ends of calls are remembered one by one; else the window is longer by the longest time that a call can take. */
export const remembersEnds = ({ anchor, quota }: Limit): boolean =>
  anchor === "end" && quota.limit <= MAX_ENDS && quota.periodMs <= MAX_END_PERIOD_MS;

/** The window that is kept for a limit: longer, where a call counts from its end and ends are not remembered. */
export function windowOf({ anchor, quota }: Limit, timeoutMs: number): Algorithm {
  if (anchor === "start") return quota.algorithm;
  return slidingWindow({ limit: quota.limit, periodMs: quota.periodMs + timeoutMs });
}

const SCOPES = { upstream: "queue", tenant: "group", endpoint: "rest" } as const;

/** The account of a limit that a call in this lane falls under. */
export const scopeKey = (per: LimitScope, upstream: string, lane: string): string =>
  keyFor(SCOPES[per], upstream, lane);

/** What is agreed on with a store. */
export interface TermsOptions {
  readonly name: string;
  readonly limits: readonly Limit[];
  readonly concurrency: number | undefined;
  readonly pace: QueueTerms["pace"];
  /** The longest that a call can take. */
  readonly timeoutMs: number;
  /** @default by the shortest period */
  readonly graceMs: number | undefined;
}

/**
 * The limits as a shared queue keeps them, or a store that is asked over a network: calls start a little after their
 * units were taken, and what is kept counts with that.
 */
export function sharedTerms({ name, limits, concurrency: places, pace, timeoutMs, graceMs }: TermsOptions): QueueTerms {
  const periods = limits.map(({ quota }) => quota.periodMs * 1000);
  const usual = Math.min(GRACE_TO, Math.max(GRACE_FROM, Math.floor(Math.min(...periods) / GRACE_PART)));
  const grace = graceMs === undefined ? usual : Math.round(graceMs * 1000);
  const rules: QueueRule[] = limits.map((limit) => {
    const per = SCOPES[limit.per];
    const of = `outbound/${name}/${limit.name}`;
    if (remembersEnds(limit)) {
      const { limit: units, periodMs } = limit.quota;
      const held = concurrency({ limit: units, leaseMs: periodMs + PLACE_LEASE / 1000 });
      return {
        ledger: ledger(`${of}/in-flight`, held, "carry"),
        afterEnd: ledger(`${of}/in-flight`, concurrency({ limit: units, leaseMs: periodMs }), "carry"),
        per,
        unit: "cost",
        isPlace: true,
        endsWithWindow: false,
      };
    }
    const window = windowOf(limit, timeoutMs);
    const late = window.usedLate?.(grace) ?? { algorithm: window, endsWithWindow: false };
    return {
      ledger: ledger(of, late.algorithm),
      per,
      unit: "cost",
      isPlace: false,
      endsWithWindow: late.endsWithWindow,
    };
  });
  if (places !== undefined) {
    wholeNumber("concurrency", places, 1);
    const held = concurrency({ limit: places, leaseMs: PLACE_LEASE / 1000 });
    rules.push({
      ledger: ledger(`outbound/${name}/concurrency`, held),
      per: "queue",
      unit: "call",
      isPlace: true,
      endsWithWindow: false,
    });
  }
  return { ...rateTerms(limits), name, pause: pauseLedger(name), rules, grace, ownerLife: OWNER_LIFE, pace };
}

const pauseLedger = (name: string) => ledger(`outbound/${name}/pause`, block);

/** A rate that is cut is that of the limit with the shortest period, unless that is too long to tell of a rate. */
export function rateTerms(limits: readonly Limit[]): Pick<QueueTerms, "interval" | "recovery"> {
  const HOUR_MS = 3_600_000;
  const [shortest] = limits
    .map(({ quota }) => quota)
    .filter(({ periodMs }) => periodMs <= HOUR_MS)
    .sort((a, b) => a.periodMs - b.periodMs);
  if (shortest === undefined) return { interval: 100_000, recovery: 10_000_000 };
  const period = Math.round(shortest.periodMs * 1000);
  return {
    interval: Math.ceil(period / shortest.limit),
    recovery: Math.min(60_000_000, Math.max(1_000_000, period)),
  };
}
