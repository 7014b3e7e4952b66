export type { Algorithm, Answer, Cells, State, Step, Verdict } from "./algorithms/algorithm.ts";
export { Mode, step } from "./algorithms/algorithm.ts";
export type { CalendarUnit } from "./algorithms/calendar.ts";
export { type ConcurrencyOptions, concurrency } from "./algorithms/concurrency.ts";
export { type FixedWindowOptions, fixedWindow } from "./algorithms/fixed-window.ts";
export { type SlidingWindowOptions, slidingWindow } from "./algorithms/sliding-window.ts";
export { type TokenBucketOptions, tokenBucket } from "./algorithms/token-bucket.ts";
export { type Clock, systemClock } from "./limiter/clock.ts";
export type { ConcurrencyLimiter, ConcurrencyLimiterOptions, Lease } from "./limiter/concurrency-limiter.ts";
export type { Decision } from "./limiter/decision.ts";
export { formatDuration, parseDuration } from "./limiter/duration.ts";
export { RateLimitError } from "./limiter/errors.ts";
export type { DecisionEvent, DecisionListener } from "./limiter/events.ts";
export type { Keys, Limiter, LimiterOptions } from "./limiter/limiter.ts";
export {
  type CustomQuota,
  perDay,
  perHour,
  perMinute,
  perMonth,
  perPeriod,
  perSecond,
  perWeek,
  type Quota,
  type QuotaOptions,
  quota,
} from "./limiter/quota.ts";
export { parseRate, type QuotaLike } from "./limiter/rate.ts";
export type { Reply, Timing } from "./limiter/reply.ts";
export type { Claim, Reservation } from "./limiter/reservation.ts";
export type { DocumentText, SharedDocument } from "./limiter/shared-document.ts";
export {
  type Account,
  type Awaitable,
  type Demand,
  decide,
  isSync,
  type Ledger,
  type Line,
  type Shortcut,
  type Store,
  type SyncStore,
  type Taken,
  type TakeOptions,
  type Times,
  type WhenChanged,
} from "./limiter/store.ts";
export { type Charge, reserveTogether } from "./limiter/together.ts";
export type { WaitOptions } from "./limiter/waiting-line.ts";
export { createConcurrencyLimiter, createLimiter } from "./stores/create-limiter.ts";
export { StoreTimeoutError, StoreUnavailableError } from "./stores/errors.ts";
export {
  type Degradation,
  type DegradedEvent,
  type FallbackOptions,
  type FallbackPolicy,
  type FallbackStats,
  type FallbackStore,
  fallback,
} from "./stores/fallback.ts";
export { type LeasedOptions, type LeasedStats, type LeasedStore, leased } from "./stores/leased/leased.ts";
export { type LocalShare, type LocalShareOptions, localShare } from "./stores/local-share.ts";
export {
  type MemoryStore,
  type MemoryStoreOptions,
  type MemoryStoreStats,
  memoryStore,
} from "./stores/memory/memory.ts";
export { type Remembering, type RememberRefusalsOptions, rememberRefusals } from "./stores/remember-refusals.ts";
export { type Timed, type TimeoutOptions, timeout } from "./stores/timeout.ts";
