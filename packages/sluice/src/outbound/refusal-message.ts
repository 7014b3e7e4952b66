import type { OutboundReason } from "./errors.ts";

interface Details {
  readonly retryAfterMs?: number;
  readonly position?: number;
  readonly cost?: number | undefined;
  readonly most: number;
}

/** What an error says to people. */
export function messageOf(
  upstream: string,
  reason: OutboundReason,
  { retryAfterMs, position, cost, most }: Details,
): string {
  const again = retryAfterMs === undefined ? "" : ` Try again in ${(retryAfterMs / 1000).toFixed(1)} s.`;
  switch (reason) {
    case "deadline":
      return `The call to "${upstream}" cannot start in time: ${position} go first.${again}`;
    case "queue-full":
      return `Too many calls wait for "${upstream}" already: ${position}.${again}`;
    case "breaker-open":
      return `"${upstream}" has failed too often, and is left alone for a while.${again}`;
    case "quota":
      return `The call to "${upstream}" costs ${cost}, but a limit has only ${most} at all: it can never start.`;
    case "cancelled":
      return `The call to "${upstream}" was cancelled while it waited.`;
    case "closed":
      return `The upstream "${upstream}" is closed, and makes no more calls.`;
    case "store":
      return `The store could not say whether the call to "${upstream}" may start.${again}`;
  }
}
