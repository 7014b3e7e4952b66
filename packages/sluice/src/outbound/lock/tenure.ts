import type { Clock } from "../../limiter/clock.ts";
import { LockError } from "./lock-error.ts";
import type { Hold } from "./stored-lock.ts";

export interface TenureOptions {
  readonly lock: string;
  readonly hold: Hold;
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Called once, when the lease is lost while it should be held. */
  onLost(): void;
}

/** The time for which a lock is surely held. */
export interface Tenure {
  /** Aborts with a LockError when the lease is lost. */
  readonly signal: AbortSignal;
  /** The work is done. @throws LockError when the lease was lost by now */
  complete(): void;
  /** Renew no more. */
  end(): void;
}

/**
 * Renews a lease three times per term, and says when it is over.
 *
 * The lease is counted from before the last renewal that succeeded was sent, so it ends here before it ends in the
 * store, and a little earlier for clocks that run differently and stores that count in milliseconds. A renewal that
 * fails is tried again sooner. Its timers keep no process alive that has nothing else to do.
 */
export function tenure({ lock, hold, leaseMs, clock, onLost }: TenureOptions): Tenure {
  const controller = new AbortController();
  const sure = (leaseMs - Math.max(2, leaseMs / 100)) * 1000;
  let until = hold.askedAt + sure;
  let isOver = false;
  let failure: unknown;
  let cancelRenewal = clock.after(leaseMs / 3, renew, true);
  let cancelEnd = clock.after(leftMs(), lost, true);

  function leftMs(): number {
    return Math.max(0, until - clock.elapsed()) / 1000;
  }

  async function renew(): Promise<void> {
    // A process that was stopped comes here late: the lease may be somebody else's.
    if (leftMs() === 0) return lost();
    const askedAt = clock.elapsed();
    try {
      const isHeld = await hold.renew();
      if (isOver) return;
      if (!isHeld) return lost();
      failure = undefined;
      until = askedAt + sure;
      cancelEnd();
      cancelEnd = clock.after(leftMs(), lost, true);
    } catch (error) {
      if (isOver) return;
      failure = error;
    }
    cancelRenewal = clock.after(leaseMs / (failure === undefined ? 3 : 10), renew, true);
  }

  function lost(): void {
    if (isOver) return;
    end();
    const why =
      failure === undefined ? "it was not renewed in time, or the store has forgotten it" : "the store failed";
    controller.abort(
      new LockError(
        `The lock ${JSON.stringify(lock)} was lost: ${why}. Others may hold it now. Let the resource that it guards refuse older tokens.`,
        { code: "LOCK_LOST", lock, cause: failure },
      ),
    );
    onLost();
  }

  function end(): void {
    isOver = true;
    cancelRenewal();
    cancelEnd();
  }

  return {
    signal: controller.signal,
    complete() {
      if (!isOver && leftMs() === 0) lost();
      controller.signal.throwIfAborted();
    },
    end,
  };
}
