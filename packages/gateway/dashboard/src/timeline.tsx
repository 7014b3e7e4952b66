import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Change } from "../../src/admin/live/changes.ts";
import type { Second } from "../../src/admin/live/counts.ts";
import { ChangeList } from "./change-list.tsx";
import { count } from "./format.ts";
import { type Chart, type Column, columnsOf, KINDS, timelineChart } from "./timeline-chart.ts";

const RANGES = [
  [60, "1 min"],
  [300, "5 min"],
  [900, "15 min"],
] as const;

interface TimelineProps {
  readonly seconds: readonly Second[];
  readonly changes: readonly Change[];
  readonly clockAheadMs: number;
}

/** What became of calls, second by second, and what was changed meanwhile. Dragging over it shows that part alone. */
export function Timeline({ seconds, changes, clockAheadMs }: TimelineProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | undefined>(undefined);
  const [range, setRange] = useState<number>(300);
  /** The part that was dragged over, in seconds since 1970. */
  const [zoom, setZoom] = useState<readonly [number, number]>();
  const [pointed, setPointed] = useState<Column>();
  const end = Math.floor((Date.now() + clockAheadMs) / 1000) - 1;
  const columns = useMemo(() => columnsOf(seconds, end - 899, end), [seconds, end]);
  const [from, to] = zoom ?? [end - range + 1, end];

  useEffect(() => {
    const made = timelineChart(place.current!, { zoomed: setZoom, pointed: setPointed });
    chart.current = made;
    return () => made.close();
  }, []);
  useEffect(() => chart.current?.show(columns, changes, from, to), [columns, changes, from, to]);

  const shown = columns.filter(({ at }) => at >= from && at <= to);
  const sums = pointed ?? sumOf(shown);
  const when = pointed === undefined ? spanText(from, to) : timeText(pointed.at);
  return (
    <section class="panel wide" aria-labelledby="timeline-title">
      <header>
        <h2 id="timeline-title">Calls over time</h2>
        <span class="hint">{zoom === undefined ? "Drag to look closer" : `${spanText(from, to)} alone`}</span>
        <fieldset class="choices">
          <legend class="unseen">How much time is shown</legend>
          {RANGES.map(([length, name]) => (
            <button
              key={name}
              type="button"
              aria-pressed={zoom === undefined && range === length}
              onClick={() => {
                setZoom(undefined);
                setRange(length);
              }}
            >
              {name}
            </button>
          ))}
        </fieldset>
        {zoom !== undefined && (
          <button type="button" onClick={() => setZoom(undefined)}>
            Back to now
          </button>
        )}
      </header>
      <div
        class="chart"
        ref={place}
        role="img"
        aria-label={`Stacked columns of calls per second, ${spanText(from, to)}`}
      />
      <dl class="legend">
        {KINDS.map(({ kind, name }) => (
          <div key={kind}>
            <dt class={kind}>{name}</dt>
            <dd>{count(sums[kind])}</dd>
          </div>
        ))}
        <div class="when">
          <dt class="unseen">When</dt>
          <dd>{when}</dd>
        </div>
      </dl>
      <ChangeList changes={changes.filter(({ at }) => at >= from * 1000 && at < (to + 1) * 1000)} />
      <details class="as-table">
        <summary>As a table</summary>
        <div class="scroll">
          <MinuteTable columns={columns} />
        </div>
      </details>
    </section>
  );
}

function MinuteTable({ columns }: { columns: readonly Column[] }) {
  const minutes = new Map<number, Column[]>();
  for (const column of columns) {
    const minute = Math.floor(column.at / 60) * 60;
    minutes.set(minute, [...(minutes.get(minute) ?? []), column]);
  }
  const rows = [...minutes].reverse().map(([at, all]) => ({ ...sumOf(all), at }));
  return (
    <table>
      <caption class="unseen">Calls of each minute</caption>
      <thead>
        <tr>
          <th scope="col">Minute</th>
          {KINDS.map(({ kind, name }) => (
            <th key={kind} scope="col" class="number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.at}>
            <th scope="row">{timeText(row.at).slice(0, 5)}</th>
            {KINDS.map(({ kind }) => (
              <td key={kind} class="number">
                {count(row[kind])}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function sumOf(columns: readonly Column[]): Column {
  const sums = { at: 0, passed: 0, waited: 0, shadow: 0, refused: 0 };
  for (const column of columns) for (const { kind } of KINDS) sums[kind] += column[kind];
  return sums;
}

const timeText = (seconds: number): string => new Date(seconds * 1000).toTimeString().slice(0, 8);
const spanText = (from: number, to: number): string => `${timeText(from)} – ${timeText(to)}`;
