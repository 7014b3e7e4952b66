import uPlot from "uplot";
import type { Change } from "../../src/admin/live/changes.ts";
import type { Second } from "../../src/admin/live/counts.ts";
import { amountAxis, timeAxis } from "./axes.ts";
import { color, onThemeChange } from "./theme.ts";

/** What became of calls: each call is one of these. */
export const KINDS = [
  { kind: "passed", name: "Allowed" },
  { kind: "waited", name: "Waited, then allowed" },
  { kind: "shadow", name: "Allowed, refused on trial" },
  { kind: "refused", name: "Refused" },
] as const;

type Kind = (typeof KINDS)[number]["kind"];

/** One second. */
export type Column = Readonly<Record<Kind, number>> & {
  /** In seconds since 1970. */
  readonly at: number;
};

/** A column for each second from here to there. */
export function columnsOf(seconds: readonly Second[], from: number, to: number): readonly Column[] {
  const known = new Map(seconds.map((second) => [second.at / 1000, second]));
  return Array.from({ length: to - from + 1 }, (_, i) => columnOf(from + i, known.get(from + i)));
}

/** Who waited and is refused on trial counts once. */
function columnOf(at: number, second: Second | undefined): Column {
  if (second === undefined) return { at, passed: 0, waited: 0, shadow: 0, refused: 0 };
  const { allowed, waited, refused } = second;
  const shadow = Math.min(second.shadow, allowed - waited);
  return { at, passed: allowed - waited - shadow, waited, shadow, refused };
}

export interface Chart {
  /** Changes are lines at their time. */
  show(columns: readonly Column[], changes: readonly Change[], from: number, to: number): void;
  close(): void;
}

interface ChartListener {
  zoomed(range: readonly [number, number]): void;
  pointed(column: Column | undefined): void;
}

const HEIGHT = 190;

/** Stacked columns: each series is drawn from the ground over the one before, which is higher. */
export function timelineChart(place: HTMLElement, { zoomed, pointed }: ChartListener): Chart {
  let columns: readonly Column[] = [];
  let changes: readonly Change[] = [];
  let range: [number, number] = [0, 1];
  let plot = made();

  function made(): uPlot {
    const stacked = [...KINDS].reverse();
    const bars = uPlot.paths.bars!({ size: [1, 24], gap: 0, align: 1 });
    return new uPlot(
      {
        width: Math.max(place.clientWidth, 100),
        height: HEIGHT,
        padding: [null, 28, null, null],
        legend: { show: false },
        cursor: { drag: { x: true, y: false }, points: { show: false }, y: false },
        scales: { x: { range: () => range }, y: { range: (_u, _min, max) => [0, Math.max(max, 4)] } },
        axes: [
          timeAxis(),
          {
            ...amountAxis(),
            size: 44,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6],
            values: (_u, splits) => splits.map((value) => (value >= 1000 ? `${value / 1000}k` : String(value))),
          },
        ],
        series: [
          {},
          ...stacked.map(({ kind }) => ({
            fill: color(`--${kind}`),
            stroke: color(`--${kind}`),
            width: 0,
            paths: bars,
            points: { show: false },
          })),
        ],
        hooks: {
          setSelect: [
            (u) => {
              const { left, width } = u.select;
              if (width < 4) return;
              const from = Math.floor(u.posToVal(left, "x"));
              const to = Math.ceil(u.posToVal(left + width, "x"));
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              zoomed([from, Math.max(to, from + 5)]);
            },
          ],
          draw: [(u) => drawChanges(u, changes)],
          setCursor: [(u) => pointed(u.cursor.idx == null ? undefined : columns[u.cursor.idx])],
        },
      },
      dataOf(columns),
      place,
    );
  }

  const resized = new ResizeObserver(() => plot.setSize({ width: Math.max(place.clientWidth, 100), height: HEIGHT }));
  resized.observe(place);
  const forget = onThemeChange(() => {
    plot.destroy();
    plot = made();
  });
  return {
    show(next, nextChanges, from, to) {
      columns = next;
      changes = nextChanges;
      // A column begins at its second.
      range = [from, to + 1];
      plot.setData(dataOf(columns));
    },
    close() {
      forget();
      resized.disconnect();
      plot.destroy();
    },
  };
}

/** A line from top to bottom, with a mark at the top, for each change that is in sight. */
function drawChanges(plot: uPlot, changes: readonly Change[]): void {
  const { ctx, bbox } = plot;
  const { min = 0, max = 0 } = plot.scales.x!;
  const inSight = changes.filter(({ at }) => at / 1000 >= min! && at / 1000 <= max!);
  if (inSight.length === 0) return;
  // To look colors up takes longer than all the rest.
  const [usual, bad] = [color("--text"), color("--refused-text")];
  ctx.save();
  for (const change of inSight) {
    const x = Math.round(plot.valToPos(change.at / 1000, "x", true));
    ctx.strokeStyle = ctx.fillStyle = change.kind === "reload" && !change.ok ? bad : usual;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const half = 4 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x - half, bbox.top);
    ctx.lineTo(x + half, bbox.top);
    ctx.lineTo(x, bbox.top + 2 * half);
    ctx.fill();
  }
  ctx.restore();
}

/** Highest first, so that what is drawn later stands in front of it. */
function dataOf(columns: readonly Column[]): uPlot.AlignedData {
  const heights = KINDS.map((_, i) =>
    columns.map((column) => KINDS.slice(0, i + 1).reduce((sum, { kind }) => sum + column[kind], 0)),
  );
  return [columns.map(({ at }) => at), ...heights.reverse()];
}
