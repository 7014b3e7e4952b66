import { systemClock } from "../../limiter/clock.ts";
import { type Connection, isReply } from "./connection.ts";
import { RedisStoreError } from "./errors.ts";
import type { Script } from "./script.ts";

/** Runs a script once. Fails with a RedisStoreError. */
export type Run = (script: Script, keys: readonly string[], args: readonly string[]) => Promise<unknown>;

/** How long a slot that is being moved is left alone. In milliseconds. */
const TRY_AGAIN_MS = 5;

/** @param timeoutMs until when a script that has not run may be sent again, in milliseconds */
export function runs(connection: Connection, timeoutMs: number): Run {
  return async (script, keys, args) => {
    const due = systemClock.elapsed() + timeoutMs * 1000;
    let isKnown = true;
    for (;;) {
      try {
        return await (isKnown ? connection.run(script, keys, args) : connection.runWhole(script, keys, args));
      } catch (cause) {
        if (isKnown && isReply(cause, "NOSCRIPT")) {
          isKnown = false;
          continue;
        }
        // The keys of a slot that is being moved are in two places: the script has not run.
        if (!isReply(cause, "TRYAGAIN") || systemClock.elapsed() > due) throw failed(cause);
        await new Promise<void>((resolve) => systemClock.after(TRY_AGAIN_MS, resolve));
      }
    }
  };
}

function failed(cause: unknown): RedisStoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RedisStoreError(`Redis did not decide: ${reason}. The call may have been charged, and counts as taken.`, {
    cause,
  });
}
