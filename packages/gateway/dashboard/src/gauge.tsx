import { count } from "./format.ts";

/** How much of a limit is used: a bar, and in words. */
export function Gauge({ used, limit }: { used: number; limit: number }) {
  const part = Math.min(1, Math.max(0, used / limit));
  const tone = part >= 1 ? "full" : part >= 0.8 ? "near" : "";
  return (
    <span class="gauge">
      <span class={`bar-of ${tone}`} aria-hidden="true">
        <span style={{ width: `${100 * part}%` }} />
      </span>
      <span class="words">
        {count(used)}/{count(limit)}
      </span>
    </span>
  );
}
