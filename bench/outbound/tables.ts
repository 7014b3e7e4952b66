import { markdownTable } from "../markdown-table.ts";
import type { PatternFigures } from "./accuracy-process.ts";
import type { ContenderName } from "./contenders.ts";
import type { OutboundResults } from "./suite.ts";

/** What the README says about calls that go out. */
export function outboundTables({ accuracy, shared, speed }: OutboundResults): string {
  const share = (speed.cancels.sluice! / speed.cancels["p-queue"]!) * 100;
  const sentences = [
    `Cancelling 100,000 waiting calls in a random order takes ${share.toFixed(1)} % of p-queue's time.`,
    ...Object.entries(shared).map(
      ([scene, { sluice, bottleneck }]) =>
        `Eight processes on one Redis, limit 40 per second, ${scene}: at most ${sluice.starts} starts in a second with ${sluice.scriptsPerCall.toFixed(2)} scripts per call, bottleneck ${bottleneck.starts} with ${bottleneck.scriptsPerCall.toFixed(2)}.`,
    ),
  ];
  return [accuracyTable(accuracy), speedTable(speed), sentences.join(" ")].join("\n\n");
}

function accuracyTable(accuracy: OutboundResults["accuracy"]): string {
  const head = ["edge", "partial", "saturated", "stall", "random"] as const;
  const rows = Object.entries(accuracy).map(([name, figures]) => [
    name,
    ...head.map((pattern) => starts(figures[pattern])),
    `${figures["on the way"].arrivals}`,
    ...(["1,000 at once", "1,000 in two bursts"] as const).flatMap((pattern) => [
      starts(figures[pattern]),
      `${figures[pattern].toIdeal.toFixed(3)} ×`,
    ]),
  ]);
  return markdownTable(
    [
      "Most starts in any second (in 998 ms), limit 10",
      ...head,
      "arrivals, 0–120 ms on the way",
      "limit 100: 1,000 at once",
      "time, × ideal",
      "in two bursts",
      "time, × ideal",
    ],
    rows,
  );
}

const starts = ({ starts, startsAlmost }: PatternFigures): string =>
  starts === startsAlmost ? `${starts}` : `${starts} (${startsAlmost})`;

/** Two digits, and never an exponent. */
const times = (ratio: number): string => (ratio < 10 ? ratio.toFixed(1) : `${Number(ratio.toPrecision(2))}`);

function speedTable({ calls, bytes }: OutboundResults["speed"]): string {
  const scenes = Object.values(calls);
  const names = Object.keys(scenes[0]!) as ContenderName[];
  const rows = names.map((name) => [
    name,
    ...scenes.map((scene) => times(scene[name]!.toBare)),
    bytes[name]?.toFixed(0) ?? "–",
  ]);
  return markdownTable(["No limit binds: time, × a bare call", ...Object.keys(calls), "bytes per waiting call"], rows);
}
