import type { Second } from "../../src/admin/live/counts.ts";
import { count, decimal, percent } from "./format.ts";
import type { State } from "./state.ts";

const SHOWN_SECONDS = 60;
/** The rate of now is that of so many seconds: one is too lively to read. */
const RATE_SECONDS = 5;

type Numbers = Omit<Second, "at">;

/** What is going on, in numbers, each with its last minute. */
export function Tiles({ state }: { state: State }) {
  const { known, near, slowMs, clockAheadMs } = state;
  // The running second is not full yet.
  const end = Math.floor((Date.now() + clockAheadMs) / 1000) * 1000;
  const minute = lastSeconds(state.seconds, end);
  const line = (name: keyof Numbers) => minute.map((second) => second[name]);
  const [refused, waited, shadow] = [sum(line("refused")), sum(line("waited")), sum(line("shadow"))];
  const [loops, degraded] = [sum(line("loops")), sum(line("degraded"))];
  const calls = minute.map((second) => second.allowed + second.refused);
  const all = sum(calls);
  const rate = sum(calls.slice(-RATE_SECONDS)) / RATE_SECONDS;
  return (
    <section class="tiles" aria-label="The last minute">
      <Tile name="Calls per second" value={decimal(rate)} note={`${count(all)} / min`} line={calls} />
      <Tile
        name="Refused"
        value={percent(refused, all)}
        note={`${count(refused)} / min`}
        line={line("refused")}
        tone={refused > 0 ? "refused" : undefined}
      />
      <Tile
        name="Waited in line"
        value={count(waited)}
        note="calls / min"
        line={line("waited")}
        tone={waited > 0 ? "waited" : undefined}
      />
      <Tile
        name="Would be refused"
        value={count(shadow)}
        note="on trial"
        line={line("shadow")}
        tone={shadow > 0 ? "shadow" : undefined}
      />
      <Tile
        name="Near a limit"
        value={count(near)}
        note={`of ${count(known)} clients`}
        tone={near > 0 ? "waited" : undefined}
      />
      <Tile
        name="Loops"
        value={count(loops)}
        note="calls stopped"
        line={line("loops")}
        tone={loops > 0 ? "refused" : undefined}
      />
      <Tile
        name="Time to decide"
        value={slowMs === undefined ? "–" : slowMs < 0.1 ? "< 0.1 ms" : `${decimal(slowMs)} ms`}
        note="p99"
      />
      <Tile
        name="Without the store"
        value={count(degraded)}
        note="decisions / min"
        line={line("degraded")}
        tone={degraded > 0 ? "refused" : undefined}
      />
    </section>
  );
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

interface TileProps {
  readonly name: string;
  readonly value: string;
  readonly note: string;
  readonly line?: readonly number[];
  readonly tone?: string | undefined;
}

function Tile({ name, value, note, line, tone = "" }: TileProps) {
  return (
    <div class={`tile ${tone}`}>
      <h2>{name}</h2>
      <p>
        <strong>{value}</strong> <span>{note}</span>
      </p>
      {line !== undefined && <Sparkline values={line} />}
    </div>
  );
}

function Sparkline({ values }: { values: readonly number[] }) {
  const most = Math.max(...values, 1);
  const points = values.map((value, i) => `${(100 * i) / (values.length - 1)},${22 - (20 * value) / most}`);
  return (
    <svg class="sparkline" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(" ")} />
    </svg>
  );
}

const NOTHING: Numbers = { allowed: 0, waited: 0, refused: 0, shadow: 0, degraded: 0, loops: 0 };

/** Seconds without anything are seconds, too. */
function lastSeconds(seconds: readonly Second[], end: number): readonly Numbers[] {
  const known = new Map(seconds.slice(-SHOWN_SECONDS - RATE_SECONDS).map((second) => [second.at, second]));
  return Array.from({ length: SHOWN_SECONDS }, (_, i) => known.get(end - (SHOWN_SECONDS - i) * 1000) ?? NOTHING);
}
