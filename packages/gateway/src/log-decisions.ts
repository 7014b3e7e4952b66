import type { McpDecisionEvent } from "sluice/mcp";
import type { Logger } from "./log.ts";

/** How often a client's refusals are told of, in milliseconds. */
const EVERY_MS = 10_000;
/** Clients and tools that are remembered at most. */
const MAX_KEYS = 1_000;

/**
 * Logs refusals: the first of a client and a tool at once, the others as a count. Never arguments, never tokens. What
 * was allowed is for `debug`.
 */
export function logDecisions(log: Logger, now: () => number = Date.now): (event: McpDecisionEvent) => void {
  const told = new Map<string, { at: number; unsaid: number }>();
  return ({ call, client, tier, mode, decision, waitedMs }) => {
    const { method, tool } = call;
    const about = { client, tier, method, tool, quota: decision.quota, waitedMs };
    if (decision.allowed) {
      log.debug(about, "allowed");
      return;
    }
    const key = JSON.stringify([client, tool ?? method, mode]);
    const last = told.get(key);
    if (last !== undefined && now() - last.at < EVERY_MS) {
      last.unsaid++;
      return;
    }
    told.delete(key);
    if (told.size >= MAX_KEYS) told.delete(told.keys().next().value!);
    told.set(key, { at: now(), unsaid: 0 });
    const { retryAfterMs, degraded } = decision;
    log.warn(
      { ...about, retryAfterMs, degraded, moreSinceThen: last?.unsaid || undefined },
      mode === "shadow" ? "would have been refused (shadow)" : "refused",
    );
  };
}
