import type { McpDecisionEvent } from "../../inbound/mcp/options.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import type { LoggerLike, LogOptions } from "./logger.ts";
import { sampled } from "./sampled.ts";

export interface LogDecisionsOptions extends LogOptions {
  /** @default the clock of this process */
  readonly clock?: Clock;
}

/** What clients make up as they like is cut off here. In characters. */
const LONGEST_NAME = 128;

/**
 * A listener for `onDecision` that logs: a refusal at once, more of the same client and tool as a count every ten seconds; what was
 * allowed at `debug`. Never tokens, never arguments.
 *
 * @example
 * rateLimit(server, { tools: { "*": "10/min" }, onDecision: logDecisions(pino()) });
 *
 * @throws RangeError for options that cannot be
 */
export function logDecisions(
  log: LoggerLike,
  { clock = systemClock, ...options }: LogDecisionsOptions = {},
): (event: McpDecisionEvent) => void {
  const refusals = sampled(clock, options);
  return (event) => {
    const { call, client, mode, decision } = event;
    if (decision.allowed) {
      if (log.isLevelEnabled?.("debug") === false) return;
      log.debug(aboutOf(event), mode === "shadow" ? "would have been allowed (shadow)" : "allowed");
      return;
    }
    const about = aboutOf(event);
    const { retryAfterMs, degraded } = decision;
    const text = mode === "shadow" ? "would have been refused (shadow)" : "refused";
    refusals.saw(JSON.stringify([client, call.tool ?? call.method, mode]), (more) =>
      more === undefined
        ? log.warn({ ...about, retryAfterMs, degraded }, text)
        : log.warn({ ...about, retryAfterMs, degraded, times: more }, `${text} again`),
    );
  };
}

function aboutOf({ call, client, tier, decision, decisions, waitedMs }: McpDecisionEvent): object {
  const policy = decisions.find((one) => one.decision === decision)?.policy;
  return {
    client,
    tier,
    method: cut(call.method),
    tool: call.tool === undefined ? undefined : cut(call.tool),
    policy,
    quota: decision.quota,
    waitedMs,
  };
}

const cut = (name: string): string => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name);
