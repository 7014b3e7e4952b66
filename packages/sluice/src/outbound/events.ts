import type { BreakerChange } from "./breaker/options.ts";
import type { OutboundReason } from "./errors.ts";
import type { OutcomeClass } from "./retry/classify.ts";
import type { RetryStop } from "./retry/plan.ts";

/** What happens to calls that go out. Times are milliseconds. */
export type OutboundEvent = { readonly upstream: string } & (
  | {
      /** A call waits. */
      readonly type: "queued";
      readonly position: number;
      readonly startsInMs: number;
    }
  | {
      /** An attempt starts. */
      readonly type: "started";
      readonly attempt: number;
      readonly waitedMs: number;
    }
  | {
      /** An attempt ended. */
      readonly type: "ended";
      readonly attempt: number;
      readonly outcome: OutcomeClass;
      readonly tookMs: number;
      /** Why it is not followed by another, if it failed. */
      readonly stop?: RetryStop;
    }
  | {
      /** An attempt failed, and is followed by another. */
      readonly type: "retry";
      readonly attempt: number;
      readonly delayMs: number;
    }
  | {
      /** A call was not made. */
      readonly type: "refused";
      readonly reason: OutboundReason;
      readonly retryAfterMs?: number;
    }
  | {
      /** The upstream said that calls come too fast. */
      readonly type: "throttled";
      /** Nobody starts for so long. Undefined: it gave no time, and starts are slowed down. */
      readonly pausedForMs?: number;
    }
  | {
      /** The upstream said that more is used than was known: others use it, too. */
      readonly type: "used-elsewhere";
      readonly limit: string;
      readonly units: number;
    }
  | ({
      /** The circuit breaker changed its state. */
      readonly type: "breaker";
    } & BreakerChange)
  | {
      /** The store cannot be asked. Calls wait until it can, or go on as its fallback says. */
      readonly type: "store-failed";
      readonly error: unknown;
    }
);

export type OutboundListener = (event: OutboundEvent) => void;
