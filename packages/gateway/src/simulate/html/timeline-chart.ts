import { formatDuration } from "sluice";
import type { Report } from "../report.ts";
import { counted } from "../text.ts";
import { html, type Markup } from "./markup.ts";

const WIDTH = 960;
const HEIGHT = 260;
const LEFT = 56;
const BOTTOM = 28;
const TOP = 12;
const LABELS = 6;

/** Calls over time: what passes and what is refused on top of each other, and a line for what was refused before. */
export function timelineChart({ timeline: { sliceMs, slices }, comparedWith }: Report): Markup {
  const first = slices[0];
  const last = slices.at(-1);
  if (first === undefined || last === undefined) return html``;
  const spanMs = last.at + sliceMs - first.at;
  const most = Math.max(...slices.map(({ calls }) => calls));
  const step = niceStep(most);
  const top = Math.ceil(most / step) * step;
  const x = (at: number): number => LEFT + ((at - first.at) / spanMs) * (WIDTH - LEFT);
  const y = (count: number): number => TOP + (1 - count / top) * (HEIGHT - TOP - BOTTOM);
  const width = Math.max(1, (sliceMs / spanMs) * (WIDTH - LEFT) - 0.5);
  const bar = (at: number, from: number, to: number, kind: string): Markup =>
    to > from
      ? html`<rect class="${kind}" x="${short(x(at))}" y="${short(y(to))}" width="${short(width)}" height="${short(y(from) - y(to))}"/>`
      : html``;
  const bars = slices.map(
    ({ at, calls, refused, wasRefused }) =>
      html`<g><title>${clock(at, spanMs)}, ${formatDuration(sliceMs)}: ${counted(calls)} calls, ${counted(refused)} refused, ${counted(wasRefused)} before</title>${bar(at, 0, calls - refused, "passed")}${bar(at, calls - refused, calls, "refused")}</g>`,
  );
  const hasBefore = slices.some(({ wasRefused }) => wasRefused > 0);
  const before = hasBefore
    ? html`<path class="before" d="${slices.map(({ at, calls, wasRefused }) => `M${short(x(at))} ${short(y(calls - wasRefused))}h${short(width)}`).join("")}"/>`
    : html``;
  const grid = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => {
    const count = i * step;
    return html`<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${short(y(count))}" y2="${short(y(count))}"/><text x="${LEFT - 8}" y="${short(y(count) + 4)}" text-anchor="end">${counted(count)}</text>`;
  });
  const times = Array.from({ length: LABELS }, (_, i) => {
    const at = first.at + (spanMs * i) / (LABELS - 1);
    const anchor = i === 0 ? "start" : i === LABELS - 1 ? "end" : "middle";
    return html`<text x="${short(x(at))}" y="${HEIGHT - 8}" text-anchor="${anchor}">${clock(at, spanMs)}</text>`;
  });
  return html`<section><h2>Calls in ${formatDuration(sliceMs)}</h2>
<p class="legend"><span class="key passed"></span>pass <span class="key refused"></span>refused ${hasBefore ? html`<span class="key before"></span>above this line: refused by ${comparedWith}` : ""}</p>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Calls over time; the table of figures says the same in numbers">${grid}${bars}${before}${times}</svg></section>`;
}

/** 1, 2 or 5 with zeros, so that there are about four lines. */
function niceStep(most: number): number {
  const rough = Math.max(1, most / 4);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough)!;
}

/** In UTC: the file is read anywhere. */
function clock(at: number, spanMs: number): string {
  const iso = new Date(at).toISOString();
  return spanMs > 2 * 86_400_000 ? iso.slice(0, 10) : spanMs < 600_000 ? iso.slice(11, 19) : iso.slice(11, 16);
}

const short = (number: number): string => String(Math.round(number * 100) / 100);
