/** Why a call to an upstream was not made, or not made again. */
export type OutboundReason =
  /** It could not have started before its deadline. */
  | "deadline"
  /** More calls wait than may. */
  | "queue-full"
  /** The upstream has failed too often, and is left alone for a while. */
  | "breaker-open"
  /** The call can never pass: it costs more than a limit has. */
  | "quota"
  /** The caller's signal aborted; its reason is the cause. */
  | "cancelled"
  /** The upstream was closed. */
  | "closed"
  /** The store could not say whether the call may start. */
  | "store";

export interface OutboundErrorOptions extends ErrorOptions {
  readonly upstream: string;
  readonly reason: OutboundReason;
  /** When it is worth trying again, from now, in milliseconds. `Infinity`: never. Undefined: nobody knows. */
  readonly retryAfterMs?: number | undefined;
  /** How many calls were to start before this one. */
  readonly position?: number | undefined;
}

/** Thrown instead of making a call: the upstream was not asked. What the call itself throws is passed on as it is. */
export class OutboundError extends Error {
  override readonly name = "OutboundError";
  /** Stable: branch on this and on `reason`, not on the message. */
  readonly code = "OUTBOUND_REFUSED";
  readonly upstream: string;
  readonly reason: OutboundReason;
  /** When it is worth trying again, from now, in milliseconds. `Infinity`: never. Undefined: nobody knows. */
  readonly retryAfterMs: number | undefined;
  /** How many calls were to start before this one, where it had a place in the queue. */
  readonly position: number | undefined;

  constructor(message: string, { upstream, reason, retryAfterMs, position, ...options }: OutboundErrorOptions) {
    super(message, options);
    this.upstream = upstream;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.position = position;
  }
}
