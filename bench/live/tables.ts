import { markdownTable } from "../markdown-table.ts";
import type { LiveResults } from "./suite.ts";

/** What a live page costs. */
export function liveTables({ alone, watched, ratio, perSecond, heardPerSecond, paced }: LiveResults): string {
  const table = markdownTable(
    ["Gateway with its admin port", "nobody looks", "a live page looks"],
    [
      [
        "CPU µs per decision, as fast as they can be made",
        alone.toFixed(1),
        `${watched.toFixed(1)} (${ratio.toFixed(3)} ×)`,
      ],
      ["CPU ms per second at 10,000 decisions/s", paced.alone.toFixed(0), paced.watched.toFixed(0)],
    ],
  );
  return `${table}\n\nAt ${Math.round(perSecond / 1000)},000 decisions/s the page was told of ${heardPerSecond.toFixed(0)} each second, and of the others by numbers.`;
}
