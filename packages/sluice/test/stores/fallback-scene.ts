import { createLimiter, type FallbackPolicy, fallback, localShare, StoreUnavailableError } from "sluice";
import { manualClock } from "sluice/testing";
import { vi } from "vitest";
import { settled } from "../limiter/held-store.ts";
import { faultyStore } from "./faulty-store.ts";

/** One policy of each kind, by name. */
export const POLICIES: Record<string, FallbackPolicy> = {
  closed: "closed",
  open: "open",
  "a local share": localShare(3),
};

/** A limiter over a faulty store with a fallback, and one that asks the same store directly. */
export function scene(policy: FallbackPolicy, rate = "10/min") {
  const clock = manualClock();
  const faulty = faultyStore(clock);
  const onDegraded = vi.fn();
  const store = fallback(faulty, policy, { onDegraded });
  const limiter = createLimiter({ quota: rate, store });
  const direct = createLimiter({ quota: rate, store: faulty.memory });
  /** The store answers again, and has heard of what happened meanwhile. */
  const recover = async () => {
    faulty.health = "up";
    await limiter.peek("somebody else");
    await settled();
  };
  return { clock, faulty, store, limiter, direct, onDegraded, recover };
}

export const unavailable = (retryAfterMs: number) => new StoreUnavailableError(retryAfterMs);
