import { markdownTable } from "../markdown-table.ts";
import type { ObserverResults } from "./suite.ts";

/** What metrics cost. */
export function observerTables(results: ObserverResults): string {
  const rows = (["decisions", "calls out"] as const).map((what) => {
    const { nobody, others, metrics, ratio, watched } = results[what];
    return [
      what === "decisions" ? "a decision of a gate, and its answer" : "a call of an upstream",
      nobody.toFixed(2),
      `${others.toFixed(2)} (${ratio.toFixed(2)} ×)`,
      `${metrics.toFixed(2)} (${watched.toFixed(2)} ×)`,
    ];
  });
  return markdownTable(
    ["CPU µs per call", "nobody listens", "nobody listens, and metrics do to others of the process", "metrics listen"],
    rows,
  );
}
