export { keyOf } from "./coalesce/key-of.ts";
export { OutboundError, type OutboundReason } from "./errors.ts";
export type { ResponseHeaders } from "./feedback/headers.ts";
export { type ResponseHead, readStatement, type StatedLimit, type Statement } from "./feedback/statement.ts";
export { LockError, type LockErrorCode } from "./lock/lock-error.ts";
export { type Locked, type WithLockOptions, withLock } from "./lock/with-lock.ts";
