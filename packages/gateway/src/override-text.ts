import { parseDuration } from "sluice";
import type { Override } from "sluice/mcp";

/** An override as people write it: its end is a duration from now (`for: "2h"`), or a time (`until`, ISO 8601 or milliseconds since 1970). */
export interface OverrideText extends Omit<Partial<Override>, "until"> {
  readonly for?: unknown;
  readonly until?: unknown;
}

/** @throws RangeError for a time that is none. Everything else is checked where it is kept. */
export function overrideOf({ for: duration, until, ...rest }: OverrideText, nowMs: number = Date.now()): Override {
  return { ...(rest as Override), until: duration === undefined ? timeOf(until) : nowMs + lengthOf(duration) };
}

function lengthOf(text: unknown): number {
  const ms = typeof text === "string" ? parseDuration(text) : undefined;
  if (ms !== undefined && ms > 0) return ms;
  throw new RangeError(`How long an override holds is a duration such as "2h", but it is ${JSON.stringify(text)}.`);
}

function timeOf(until: unknown): number {
  const ms = typeof until === "string" ? Date.parse(until) : until;
  if (typeof ms === "number" && Number.isFinite(ms)) return ms;
  throw new RangeError(
    `An override says how long it holds (for: "2h") or until when (2026-12-01T00:00:00Z), but until is ${JSON.stringify(until)}.`,
  );
}
