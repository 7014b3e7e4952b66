import type { Clock } from "../../limiter/clock.ts";
import type { Awaitable } from "../../limiter/store.ts";
import type { BreakerFacts } from "../breaker/facts.ts";
import type { TermsOptions } from "../limits.ts";
import type { Lanes } from "./lanes.ts";
import type { QueuedCall, Started, Units } from "./queued-call.ts";

/** A call that has its units: from its start to its end. */
export interface Running {
  readonly lane: string;
  readonly cost: number;
  readonly started: Started;
  /** What it cost, if that has been corrected. */
  readonly charged?: number;
  readonly isOver?: boolean;
}

/**
 * Says who may start, and starts him: the limits of one upstream over one kind of store. It takes calls out of the
 * queue in their order; everything else about them is not its business. Times are microseconds.
 */
export interface Starts {
  /** Only this process uses the limits through this store: all their calls are known here. */
  readonly isAlone: boolean;
  /** Take the units of a call that nobody stands before. Undefined: it has to wait. Only where decisions come at once. */
  take?(lane: string, cost: number, now: number): Units | undefined;
  /** A call that starts so much later than its units were taken would be too early for whoever has them next. @default no time matters */
  readonly mayLag?: number;
  /** A call whose units were taken earlier starts only now: they count from now on. Returns them. */
  restamp?(call: Running): Units;
  /** Something has changed: start everybody who can start. */
  pump(): void;
  /** A call waits no more, and did not start. */
  left(call: QueuedCall): void;
  /** Units were taken for a call that then did not start. */
  unused(call: Running): void;
  ended(call: Running): void;
  /** A call used so many units more (or, if negative, fewer) than it had taken. */
  correct(call: Running, units: number): void;
  /**
   * The upstream said that so many units of a limit were left after a call. Units that others used are charged: those
   * that are known, or what is found by comparing. Returns how many.
   */
  noticed(limit: string, call: Running & { readonly startedAt: number }, left: number, elsewhere?: number): number;
  /** Nobody may start for so long. */
  pause(forUs: number): void;
  /** The upstream refused a call that started so long ago: it wants them slower. */
  cut(agoUs: number): void;
  /** Everybody who uses this upstream should know. */
  tell(facts: BreakerFacts): void;
  /** At least so long until a call can start that has so many units before it: 0 when it is not known. */
  soonest(lane: string, cost: number, ahead: number): number;
  /** Calls of any process that go before those in the queue: this process' own are out of the queue to ask for their units. */
  readonly aheadElsewhere: number;
  /** Calls of this process that have been taken out of the queue to ask for their units. */
  readonly asking: number;
  asked(): Iterable<QueuedCall>;
  /** How many calls go before one of these. */
  aheadOf(call: QueuedCall): number;
  /** What the store said last, if it cannot be asked. */
  readonly trouble: unknown;
  /** The part of the full rate that is left after cuts. */
  readonly rate: number;
  /** Until when nobody may start, on the clock's elapsed time. */
  readonly pausedUntil: number;
  /** It knows something that the store does not: whoever forgets it lets calls start that must not. */
  readonly isNeeded?: boolean;
  /** Start nobody any more. Resolves when the store has heard of it, or does not seem to. */
  close(): Awaitable<void>;
}

/** What all kinds of starts are made of. */
export interface StartsOptions {
  readonly lanes: Lanes;
  /** Others have told what they know. */
  heard(facts: BreakerFacts): void;
  /** The store cannot be asked, for the first time since it could. */
  troubled(error: unknown): void;
  /** It is known that these cannot start before `until`: those who cannot wait so long leave. */
  late(calls: Iterable<QueuedCall>, until: number): void;
  /** A call cannot start: it costs more than a limit has, its time is over, or the store failed. Another may start then. */
  fail(call: QueuedCall, reason: "quota" | "deadline" | "store", cause?: unknown): void;
}

/** The limits of an upstream, as all kinds of starts keep them. */
export interface UpstreamLimits extends TermsOptions {
  readonly clock: Clock;
}
