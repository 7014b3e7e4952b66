import type { Clock } from "../../limiter/clock.ts";
import type { Holder } from "../../limiter/shared-queue.ts";
import type { Running } from "./starts.ts";

/** Places of calls that run are held on so often: three times in the life of a place. In milliseconds. */
const RENEWAL_MS = 5_000;

/** Sees to it that places of long calls do not run out. */
export interface PlaceRenewal {
  add(call: Running): void;
  remove(id: number): void;
  /** Those that hold places. */
  holders(): readonly Holder[];
  readonly isBusy: boolean;
}

/** @param renew is given all calls that run, now and then; it does not keep a process alive */
export function placeRenewal(clock: Clock, renew: (running: readonly Running[]) => void): PlaceRenewal {
  const running = new Map<number, Running>();
  let cancel: (() => void) | undefined;

  function arm(): void {
    cancel ??= clock.after(
      RENEWAL_MS,
      () => {
        cancel = undefined;
        if (running.size === 0) return;
        renew([...running.values()]);
        arm();
      },
      true,
    );
  }

  return {
    add(call) {
      running.set(call.started.id, call);
      arm();
    },
    remove(id) {
      running.delete(id);
      if (running.size > 0) return;
      cancel?.();
      cancel = undefined;
    },
    holders: () => [...running.values()].map(({ lane, cost, started }) => ({ id: started.id, lane, cost })),
    get isBusy() {
      return running.size > 0;
    },
  };
}
