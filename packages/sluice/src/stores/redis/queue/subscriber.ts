import { systemClock } from "../../../limiter/clock.ts";
import type { Channels } from "./channels.ts";

/** Hears messages for several, over one connection that is there as long as anybody listens. */
export interface Subscriber {
  /** Nobody is told of failures: it is tried again until messages come. @returns what ends it. */
  listen(channel: string, hear: (message: string) => void): () => void;
  close(): void;
}

/** How long after a failure it is tried again, and twice as long after each further one, in milliseconds. */
const AGAIN_MS = 500;
const AGAIN_MS_AT_MOST = 30_000;

/** @param open makes the connection. */
export function subscriber(open: () => Channels): Subscriber {
  let channels: Channels | undefined;
  const endings = new Set<() => void>();

  return {
    listen(channel, hear) {
      channels ??= open();
      const over = channels;
      let cancel = () => {};
      let isOver = false;
      const join = (waitMs: number): void => {
        if (isOver) return;
        over.join(channel, hear).catch(() => {
          cancel = systemClock.after(waitMs, () => join(Math.min(AGAIN_MS_AT_MOST, 2 * waitMs)), true);
        });
      };
      const end = (): void => {
        if (isOver) return;
        isOver = true;
        cancel();
        endings.delete(end);
        over.leave(channel).catch(() => {});
        if (endings.size > 0) return;
        channels = undefined;
        over.end();
      };
      endings.add(end);
      join(AGAIN_MS);
      return end;
    },
    close() {
      for (const end of [...endings]) end();
    },
  };
}
