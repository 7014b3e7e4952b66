import uPlot from "uplot";
import type { LimitHistory } from "../../src/admin/live/history.ts";
import { amountAxis, timeAxis } from "./axes.ts";
import type { Replayed } from "./replay.ts";
import { color, onThemeChange } from "./theme.ts";

/** So many lines can be told apart. */
const MOST_LINES = 12;
const HEIGHT = 240;

export interface ThresholdChart {
  show(history: LimitHistory, replayed: readonly Replayed[], limit: number, most: number): void;
  close(): void;
}

/** A little before the first slot in which something was asked, and at least so many slots. */
function firstOf(replayed: readonly Replayed[]): number {
  const slots = replayed[0]?.trailing.length ?? 0;
  const firsts = replayed.map(({ trailing }) => trailing.findIndex((units) => units > 0)).filter((at) => at !== -1);
  return Math.max(0, Math.min(slots - FEWEST_SLOTS, Math.min(...firsts) - 2));
}

const FEWEST_SLOTS = 12;

/** What each key asked within a period, and the limit as a line that can be moved. */
export function thresholdChart(place: HTMLElement, line: HTMLElement, moved: (limit: number) => void): ThresholdChart {
  let shown: { history: LimitHistory; replayed: readonly Replayed[]; limit: number; most: number } | undefined;
  let plot: uPlot | undefined;
  let lines = 0;

  function made(count: number): uPlot {
    const refusing = color("--refused");
    const fitting = color("--passed");
    const isOver = (i: number) => (shown?.replayed[i - 1]?.refused ?? 0) > 0;
    const made_ = new uPlot(
      {
        width: Math.max(place.clientWidth, 100),
        height: HEIGHT,
        padding: [null, 28, null, null],
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: () => [0, shown?.most ?? 1] } },
        axes: [
          timeAxis(),
          {
            ...amountAxis(),
            size: 48,
          },
        ],
        series: [
          {},
          ...Array.from({ length: count }, () => ({
            stroke: (_u: uPlot, i: number) => (isOver(i) ? refusing : fitting),
            width: 1.5,
            points: { show: false },
            paths: uPlot.paths.stepped!({ align: 1 }),
          })),
        ],
        hooks: { draw: [drawLimit], ready: [(u) => u.over.append(line)] },
      },
      [[0]],
      place,
    );
    return made_;
  }

  /** The limit as it is, and the line where it is tried. */
  function drawLimit(u: uPlot): void {
    if (shown === undefined) return;
    const y = u.valToPos(shown.history.limit, "y", true);
    u.ctx.save();
    u.ctx.strokeStyle = color("--muted");
    u.ctx.setLineDash([4, 4]);
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
    line.style.top = `${Math.max(0, u.valToPos(Math.min(shown.limit, shown.most), "y"))}px`;
  }

  function drag(event: PointerEvent): void {
    if (plot === undefined || !line.hasPointerCapture(event.pointerId)) return;
    const { top } = plot.over.getBoundingClientRect();
    moved(Math.max(1, Math.round(plot.posToVal(event.clientY - top, "y"))));
  }
  const grip = (event: PointerEvent) => line.setPointerCapture(event.pointerId);
  line.addEventListener("pointerdown", grip);
  line.addEventListener("pointermove", drag);

  const resized = new ResizeObserver(() => plot?.setSize({ width: Math.max(place.clientWidth, 100), height: HEIGHT }));
  resized.observe(place);
  const forget = onThemeChange(() => {
    plot?.destroy();
    plot = undefined;
    if (shown !== undefined) show(shown.history, shown.replayed, shown.limit, shown.most);
  });

  function show(history: LimitHistory, replayed: readonly Replayed[], limit: number, most: number): void {
    shown = { history, replayed, limit, most };
    const some = replayed.slice(0, MOST_LINES);
    if (plot === undefined || lines !== some.length) {
      plot?.destroy();
      lines = some.length;
      plot = made(lines);
    }
    const { from, slotMs } = history;
    const first = firstOf(replayed);
    // The last slot has a width, too.
    const steps = some.map(({ trailing }) => [...trailing.slice(first), trailing.at(-1) ?? 0]);
    const times = (steps[0] ?? []).map((_, i) => (from + (first + i) * slotMs) / 1000);
    plot.setData([times, ...steps]);
  }

  return {
    show,
    close() {
      forget();
      resized.disconnect();
      plot?.destroy();
    },
  };
}
