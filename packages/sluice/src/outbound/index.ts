export type { BreakerState } from "./breaker/breaker.ts";
export type { BreakerChange, BreakerOptions } from "./breaker/options.ts";
export type { ActualCost, Attempt } from "./call.ts";
export type { CoalescerStats } from "./coalesce/coalescer.ts";
export { keyOf } from "./coalesce/key-of.ts";
export type { Hosts } from "./dispatcher/host-routes.ts";
export { limitHosts } from "./dispatcher/limit-hosts.ts";
export type {
  Dispatch,
  DispatchController,
  DispatchHandler,
  DispatchInterceptor,
  DispatchOptions,
} from "./dispatcher/types.ts";
export { wrapFetch } from "./dispatcher/wrap-fetch.ts";
export { OutboundError, type OutboundReason } from "./errors.ts";
export type { OutboundEvent, OutboundListener } from "./events.ts";
export { type ResponseHead, readStatement, type StatedLimit, type Statement } from "./feedback/statement.ts";
export type { Anchor, LimitLike, LimitOptions, LimitScope } from "./limits.ts";
export { LockError, type LockErrorCode } from "./lock/lock-error.ts";
export { type Locked, type WithLockOptions, withLock } from "./lock/with-lock.ts";
export { type OutboundToolOptions, outboundTool } from "./mcp/tool.ts";
export type { WithUpstreams } from "./mcp/types.ts";
export type { Pace } from "./pace.ts";
export type { Priority } from "./scheduler/queued-call.ts";
export type { CloseOptions, Upstream, UpstreamStats } from "./upstream.ts";
export type {
  CallOptions,
  FetchOptions,
  QueuedStanding,
  RetryOptions,
  UpstreamBreakerOptions,
  UpstreamOptions,
} from "./upstream-options.ts";
export { createUpstreams, type Upstreams, type UpstreamsConfig, type UpstreamsOptions } from "./upstreams.ts";
