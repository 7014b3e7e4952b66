import type { Note } from "../../limiter/shared-queue.ts";
import { type BreakerFacts, isFacts } from "./facts.ts";

const RANKS = { closed: 0, "half-open": 1, open: 2 } as const;

/** What a breaker knows, as a note for all who use its upstream: later generations count, and of one the more careful state. */
export function noteOf(facts: BreakerFacts, storeNow: number): Note {
  const rank = facts.generation * 4 + RANKS[facts.state];
  return { rank, text: JSON.stringify([facts.generation, facts.state, Math.round(storeNow + facts.openForMs * 1000)]) };
}

/** What a note says at the store's time; undefined for what is none. */
export function notedFacts({ text }: Note, storeNow: number): BreakerFacts | undefined {
  try {
    const [generation, state, until] = JSON.parse(text) as [number, BreakerFacts["state"], number];
    const openForMs = state === "open" ? Math.max(0, (until - storeNow) / 1000) : 0;
    const facts = { generation, state, openForMs };
    return isFacts(facts) ? facts : undefined;
  } catch {
    return undefined;
  }
}
