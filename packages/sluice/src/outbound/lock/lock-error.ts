/** What became of the lock. */
export type LockErrorCode =
  /** It was not to be had in time: nothing was run. */
  | "LOCK_NOT_ACQUIRED"
  /** It was lost before the work was done: others may have worked at the same time. */
  | "LOCK_LOST";

export interface LockErrorOptions extends ErrorOptions {
  readonly code: LockErrorCode;
  /** Name of the lock. */
  readonly lock: string;
  /** When the lease of its holder ends unless he renews it, from now, in milliseconds. Undefined: nobody knows. */
  readonly retryAfterMs?: number | undefined;
}

/** Thrown instead of running without the lock, or after running without it. */
export class LockError extends Error {
  override readonly name = "LockError";
  /** Stable: branch on this, not on the message. */
  readonly code: LockErrorCode;
  /** Name of the lock. */
  readonly lock: string;
  /** When the lease of its holder ends unless he renews it, from now, in milliseconds. Undefined: nobody knows. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { code, lock, retryAfterMs, ...options }: LockErrorOptions) {
    super(message, options);
    this.code = code;
    this.lock = lock;
    this.retryAfterMs = retryAfterMs;
  }
}
