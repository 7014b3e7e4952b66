import type { Clock } from "../limiter/clock.ts";
import { alarm } from "./scheduler/alarm.ts";

export interface InTimeOptions {
  readonly clock: Clock;
  /** Of the upstream. */
  readonly name: string;
  readonly timeoutMs: number;
  /** Is aborted when the time is over. */
  readonly timeout: AbortController;
}

/** What has not ended after the time is told to, and has failed whether it heeds that or not. */
export function inTime<T>(outcome: PromiseLike<T>, { clock, name, timeoutMs, timeout }: InTimeOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    const over = alarm(clock, () => {
      const error = new DOMException(`An attempt to call "${name}" took longer than ${timeoutMs} ms.`, "TimeoutError");
      reject(error);
      timeout.abort(error);
    });
    over.set(clock.elapsed() + Math.ceil(timeoutMs * 1000));
    outcome.then(resolve, reject).then(over.cancel);
  });
}
