import type { CallLine } from "sluice/record";

/** A call as a log tells of it, in the order of the log. */
export interface LoggedCall extends Omit<CallLine, "method" | "cost" | "quota" | "retryAfterMs"> {
  readonly method: string;
}
