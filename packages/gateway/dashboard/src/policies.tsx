import type { LimitRow } from "../../src/admin/live/counts.ts";
import { count, duration, percent } from "./format.ts";
import { Scroll } from "./scroll.tsx";

interface PoliciesProps {
  readonly limits: readonly LimitRow[];
  readonly adapted: Readonly<Record<string, number>>;
  readonly now: number;
  /** Shows what another limit would have done. */
  tryLimit(limit: LimitRow): void;
  /** Asks what would become of a call. */
  tryCall(): void;
}

/** From fewer calls nothing is said of a limit. */
const ENOUGH_CALLS = 20;
const ALWAYS = 0.9;

/** Every limit: how full it gets, whom it meets, and whether it ever, or always, refuses. */
export function Policies({ limits, adapted, now, tryLimit, tryCall }: PoliciesProps) {
  return (
    <section class="panel most" aria-labelledby="policies-title">
      <header>
        <h2 id="policies-title">Policies</h2>
        <span class="hint">since the start</span>
        <span class="tools">
          <button type="button" onClick={tryCall}>
            What if …
          </button>
        </span>
      </header>
      {limits.length === 0 ? (
        <p class="empty">There are no limits.</p>
      ) : (
        <Scroll title="policies-title">
          <table>
            <thead>
              <tr>
                <th scope="col">Policy</th>
                <th scope="col">Limit</th>
                <th scope="col">How full</th>
                <th scope="col" class="number">
                  Calls
                </th>
                <th scope="col" class="number">
                  Refused
                </th>
                <th scope="col">
                  <span class="unseen">Marks and actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {limits.map((limit) => (
                <Row
                  key={`${limit.mode}/${limit.quota}/${limit.rate}`}
                  limit={limit}
                  level={adapted[limit.policy] ?? 1}
                  now={now}
                  tryLimit={() => tryLimit(limit)}
                />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}

function Row({ limit, level, now, tryLimit }: { limit: LimitRow; level: number; now: number; tryLimit(): void }) {
  const { policy, rate, mode, calls, refused, lastRefusedAt, fullness, isInForce } = limit;
  const isRate = !rate.endsWith("at once");
  return (
    <tr>
      <th scope="row">
        {policy}
        {mode === "shadow" && <span class="tag shadow">on trial</span>}
        {level < 1 && <span class="tag waited">adapted to {percent(level, 1)}</span>}
        {!isInForce && <span class="tag">not in the policies now</span>}
      </th>
      <td>{rate}</td>
      <td>
        <Fullness counts={fullness} />
      </td>
      <td class="number">{count(calls)}</td>
      <td class="number">
        <span class={refused === 0 ? "muted" : mode === "shadow" ? "shadow-text" : "refused-text"}>
          {count(refused)}
        </span>
        {refused > 0 && <span class="hint"> {percent(refused, calls)}</span>}
      </td>
      <td class="row-actions">
        <Mark calls={calls} refused={refused} />
        {lastRefusedAt !== undefined && <span class="hint">{duration(Math.max(0, now - lastRefusedAt))} ago</span>}
        {isRate && (
          <button type="button" class="quiet" onClick={tryLimit} aria-label={`Try another limit of ${policy}, ${rate}`}>
            Try another
          </button>
        )}
      </td>
    </tr>
  );
}

function Mark({ calls, refused }: { calls: number; refused: number }) {
  if (calls === 0) return <span class="tag">no calls</span>;
  if (calls < ENOUGH_CALLS) return null;
  if (refused === 0) return <span class="tag">never hit</span>;
  return refused >= calls * ALWAYS ? <span class="tag refused">always hit</span> : null;
}

const BOUNDS = ["up to 25 %", "up to 50 %", "up to 75 %", "up to 90 %", "above 90 %"];

/** How full the limit was, after how many calls: not the average, which hides those who are near. */
function Fullness({ counts }: { counts: readonly number[] }) {
  const all = counts.reduce((sum, one) => sum + one, 0);
  const words = BOUNDS.map((bound, i) => `${bound}: ${percent(counts[i]!, all)}`).join(", ");
  if (all === 0) return <span class="muted">–</span>;
  return (
    <span class="fullness" role="img" aria-label={`Used ${words}`} title={words}>
      {counts.map((one, i) => (
        <span
          key={BOUNDS[i]}
          style={{ height: `${Math.max(one === 0 ? 4 : 10, (100 * one) / Math.max(...counts))}%` }}
        />
      ))}
    </span>
  );
}
