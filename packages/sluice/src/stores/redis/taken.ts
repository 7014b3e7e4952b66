import type { Demand, Taken } from "../../limiter/store.ts";
import type { Reader } from "./reader.ts";

/** The next answer of a reply, to a demand. */
export function takenOf(reply: Reader, { least }: Partial<Demand>): Taken {
  const remaining = reply.next();
  const wait = reply.next();
  const resetAfter = reply.next();
  const receipt = reply.next() + reply.now;
  const retryAfter = wait < 0 ? Infinity : wait;
  const taken = { allowed: wait === 0, remaining, retryAfter, resetAfter, receipt };
  return least === undefined ? taken : { ...taken, granted: reply.next() };
}
