import type { DecisionData } from "../../src/admin/live/decision-data.ts";

/** What came of a call, in a word, and in which colour. */
export function outcomeOf(decision: DecisionData): { readonly name: string; readonly tone: string } {
  const { allowed, mode, waitedMs, loop, isBlock, isToComeAgain, degraded } = decision;
  if (mode === "shadow") {
    return allowed ? { name: "would pass", tone: "shadow" } : { name: "would be refused", tone: "shadow" };
  }
  if (allowed) return waitedMs > 0 ? { name: "waited", tone: "waited" } : { name: "allowed", tone: "passed" };
  if (isToComeAgain) return { name: "come again", tone: "waited" };
  if (loop !== undefined) return { name: "loop", tone: "refused" };
  if (isBlock) return { name: "blocked", tone: "refused" };
  return { name: degraded ? "no store" : "refused", tone: "refused" };
}
