import type uPlot from "uplot";
import { color } from "./theme.ts";

const FONT = '11px system-ui, "Segoe UI", sans-serif';

/** Times of the day along the bottom. */
export const timeAxis = (): uPlot.Axis => ({
  stroke: color("--muted"),
  grid: { show: false },
  ticks: { stroke: color("--line"), size: 4 },
  font: FONT,
  values: (_u, splits) => splits.map((at) => new Date(at * 1000).toTimeString().slice(0, 8)),
  space: 76,
  size: 28,
});

/** Amounts at the side. */
export const amountAxis = (): uPlot.Axis => ({
  stroke: color("--muted"),
  grid: { stroke: color("--line"), width: 1 },
  ticks: { show: false },
  font: FONT,
});
