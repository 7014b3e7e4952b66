/** How long a sample counts: clocks drift apart. In microseconds. */
const SAMPLE_LIFE = 60_000_000;
/** No answer takes so long to come: the store's clock has been set. */
const STEP = 1_000_000;

/**
 * The store's time, seen from here: never earlier than it is. A reply shows a time that was later than the sending of its
 * request, so `reply - sent` is above the true distance of the two clocks; the least of such samples is the nearest.
 */
export class StoreTime {
  #distance = Infinity;
  #sampledAt = -Infinity;

  /** A reply to what was sent at `sentAt` on the own clock says that it was `storeNow`. */
  sample(storeNow: number, sentAt: number): void {
    const distance = storeNow - sentAt;
    const isOld = sentAt - this.#sampledAt > SAMPLE_LIFE;
    if (distance > this.#distance && !isOld && distance - this.#distance < STEP) return;
    this.#distance = distance;
    this.#sampledAt = sentAt;
  }

  /** News say that it is `storeNow`: if it cannot be so late yet, the store's clock was set, and nothing is known of it. */
  heard(storeNow: number, now: number): void {
    if (storeNow <= this.storeTime(now)) return;
    this.#distance = Infinity;
    this.#sampledAt = -Infinity;
  }

  /** The store's time at `now`; 0 before the first sample. */
  storeTime(now: number): number {
    return this.#distance === Infinity ? 0 : this.#distance + now;
  }

  /** How old a moment of the store is at most; Infinity before the first sample. */
  age(at: number, now: number): number {
    return this.#distance + now - at;
  }
}
