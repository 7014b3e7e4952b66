/**
 * The store has not answered in time. The call may have been charged all the same, so it counts as taken:
 * do not send it again as if nothing had happened.
 */
export class StoreTimeoutError extends Error {
  override readonly name = "StoreTimeoutError";
  /** Stable: branch on this, not on the message. */
  readonly code = "STORE_TIMEOUT";

  constructor(timeoutMs: number) {
    super(
      `The store has not answered within ${timeoutMs} ms. The call may have been charged, and counts as taken. ` +
        "Find out why the store is slow, or give it more time with `timeoutMs`.",
    );
  }
}

/** The store failed time and again, so it was not asked: nothing was sent and nothing was charged. */
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
  /** Stable: branch on this, not on the message. */
  readonly code = "STORE_UNAVAILABLE";
  /** When the store may be asked again, in milliseconds from now. */
  readonly retryAfterMs: number;

  /** @param options `cause` is the last failure of the store. */
  constructor(retryAfterMs: number, options?: ErrorOptions) {
    const { cause } = options ?? {};
    const last = cause instanceof Error ? ` The last failure: ${cause.message}` : "";
    super(
      `The store failed time and again, and is asked again in ${retryAfterMs} ms. Nothing was charged.${last}`,
      options,
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Whether an error says that the caller asked for something that cannot be, and so nothing about the store.
 *
 * A TypeError with a cause is not one: that is how `fetch` reports that a host cannot be reached.
 */
export function isCallersFault(error: unknown): boolean {
  return (error instanceof RangeError || error instanceof TypeError) && error.cause === undefined;
}

/** Errors after which it is certain that nothing was charged. */
const UNCHARGED: ReadonlySet<unknown> = new Set(["STORE_UNAVAILABLE", "STORE_BUSY"]);

/** Whether it is certain that a call that failed so was not charged. */
export function isUncharged(error: unknown): boolean {
  return UNCHARGED.has((error as { code?: unknown } | undefined)?.code);
}
