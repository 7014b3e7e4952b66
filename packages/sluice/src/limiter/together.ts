import type { Keys, Limiter } from "./limiter.ts";
import { type Reply, replyOf, type Timing } from "./reply.ts";
import { type Claim, type Reservation, reserve } from "./reservation.ts";
import type { Awaitable } from "./store.ts";

/** A limiter, and what one call asks of it. */
export interface Charge<M extends Timing = Timing> {
  readonly limiter: Limiter<M>;
  readonly key: Keys;
  /** @default 1 */
  readonly cost?: number;
}

/**
 * Decide one call under several limiters, with a key of its own for each: all are charged, or none.
 *
 * @throws TypeError when the limiters do not share one store: only a store can decide atomically.
 */
export function reserveTogether<M extends Timing>(charges: readonly Charge<M>[]): Reply<M, Reservation<M>> {
  const [first] = charges;
  if (first === undefined) throw new TypeError("reserveTogether needs at least one charge, but the list is empty.");
  const { store } = first.limiter;
  const claims: Claim[] = [];
  for (const { limiter, key, cost } of charges) {
    if (limiter.store !== store) {
      throw new TypeError(
        `Limiters that decide together share one store, but "${first.limiter.name}" and "${limiter.name}" do not.`,
      );
    }
    claims.push(...limiter.claims(key, cost));
  }
  const reserved: Awaitable<Reservation> = reserve(store, claims);
  return replyOf(store, reserved) as Reply<M, Reservation<M>>;
}
