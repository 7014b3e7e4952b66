/**
 * Redis, or the way to it, has failed. The call may have been charged all the same, so it counts as taken: do
 * not send it again as if nothing had happened.
 */
export class RedisStoreError extends Error {
  override readonly name = "RedisStoreError";
  /** Stable: branch on this, not on the message. */
  readonly code = "STORE_REDIS";
}

/**
 * A key holds something that this store has not written there. It stays as it is: somebody has to look at it.
 * A TypeError, because Redis itself is well, and other keys are decided as always.
 */
export class RedisKeyError extends TypeError {
  override readonly name = "RedisKeyError";
  /** Stable: branch on this, not on the message. */
  readonly code = "STORE_KEY";
  /** Name of the key in Redis. */
  readonly key: string;

  constructor(key: string) {
    super(
      `The key ${JSON.stringify(key)} in Redis does not hold a state of this store. It was left as it is, and nothing was ` +
        "charged: look at what writes there, give the store another `prefix`, or reset the key with the limiter.",
    );
    this.key = key;
  }
}
