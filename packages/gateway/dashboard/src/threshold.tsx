import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Candidate } from "../../src/admin/candidate.ts";
import type { LimitRow } from "../../src/admin/live/counts.ts";
import type { LimitHistory } from "../../src/admin/live/history.ts";
import type { Api } from "./api.ts";
import { ClientName } from "./client-name.tsx";
import { clock, count, duration, percent } from "./format.ts";
import { type Replayed, replay } from "./replay.ts";
import { type ThresholdChart, thresholdChart } from "./threshold-chart.ts";

interface ThresholdProps {
  readonly api: Api;
  readonly limit: LimitRow;
  close(): void;
}

const LOOK_EVERY_MS = 3_000;
/** The policy is asked for when the line has come to rest. */
const REST_MS = 200;
const SHOWN = 8;

/** Tries another limit on what was asked lately: who would have been refused. */
export function Threshold({ api, limit: row, close }: ThresholdProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { history, problem } = useHistory(api, row);
  const [limit, setLimit] = useState(row.limit);
  const replayed = useMemo(() => history && replay(history, limit), [history, limit]);
  const now = useMemo(() => history && replay(history, history.limit), [history]);
  useEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog ref={dialog} class="wide" aria-labelledby="threshold-title" onClose={close}>
      <div class="threshold">
        <header>
          <h2 id="threshold-title">Try another limit of {row.policy}</h2>
          <span class="hint">now {row.rate}</span>
          <button type="button" class="quiet" onClick={() => dialog.current?.close()} aria-label="Close">
            ×
          </button>
        </header>
        {problem !== "" && <p class="problem">{problem}</p>}
        {history !== undefined && replayed !== undefined && now !== undefined && (
          <>
            <ThresholdLine history={history} replayed={replayed} limit={limit} setLimit={setLimit} />
            <Verdict history={history} replayed={replayed} now={now} limit={limit} setLimit={setLimit} />
            <Refused replayed={replayed} />
            <TryIt api={api} row={row} limit={limit} />
          </>
        )}
      </div>
    </dialog>
  );
}

function useHistory(api: Api, { policy, quota, rate, mode }: LimitRow) {
  const [history, setHistory] = useState<LimitHistory>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const query = new URLSearchParams({ policy, quota, rate, mode });
    const look = async () => {
      try {
        setHistory(await api.get<LimitHistory>(`history?${query}`, ended.signal));
        setProblem("");
      } catch (error) {
        if (ended.signal.aborted) return;
        setProblem((error as Error).message);
      }
      timer = setTimeout(look, LOOK_EVERY_MS);
    };
    void look();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [api, policy, quota, rate, mode]);
  return { history, problem };
}

interface LineProps {
  readonly history: LimitHistory;
  readonly replayed: readonly Replayed[];
  readonly limit: number;
  setLimit(limit: number): void;
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowUp: 1,
  ArrowRight: 1,
  ArrowDown: -1,
  ArrowLeft: -1,
  PageUp: 10,
  PageDown: -10,
};

/** The line of the limit: dragged, or moved by keys. */
function ThresholdLine({ history, replayed, limit, setLimit }: LineProps) {
  const place = useRef<HTMLDivElement>(null);
  const line = useRef<HTMLDivElement>(null);
  const chart = useRef<ThresholdChart | undefined>(undefined);
  const top = Math.max(history.limit, ...replayed.map(({ peak }) => peak)) * 1.15;
  useEffect(() => {
    const made = thresholdChart(place.current!, line.current!, setLimit);
    chart.current = made;
    return () => made.close();
  }, []);
  useEffect(() => chart.current?.show(history, replayed, limit, top), [history, replayed, limit]);

  function move(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    setLimit(Math.max(1, limit + step));
  }

  return (
    <div class="chart" ref={place}>
      <div
        ref={line}
        class="threshold-line"
        role="slider"
        tabIndex={0}
        aria-label="Limit to try"
        aria-orientation="vertical"
        aria-valuemin={1}
        aria-valuemax={Math.ceil(top)}
        aria-valuenow={limit}
        aria-valuetext={`${limit} in ${duration(history.periodMs)}`}
        onKeyDown={move}
      >
        <span>{count(limit)}</span>
      </div>
    </div>
  );
}

interface VerdictProps extends LineProps {
  /** What the limit as it is would have done. */
  readonly now: readonly Replayed[];
}

function Verdict({ history, replayed, now, limit, setLimit }: VerdictProps) {
  const [then, asItIs] = [replayed, now].map((all) => ({
    keys: all.filter(({ refused }) => refused > 0).length,
    refused: all.reduce((sum, one) => sum + one.refused, 0),
    asked: all.reduce((sum, one) => sum + one.asked, 0),
  })) as [Sums, Sums];
  return (
    <div class="verdict">
      <label>
        Limit to try, per {duration(history.periodMs)}
        <input
          type="number"
          min={1}
          value={limit}
          onInput={({ currentTarget }) => setLimit(Math.max(1, Math.round(Number(currentTarget.value)) || 1))}
        />
      </label>
      <p aria-live="polite">
        <b>
          {count(limit)} would refuse {count(then.keys)} of {count(replayed.length)}
        </b>{" "}
        who asked, {percent(then.refused, then.asked)} of what they asked.
        <span class="hint">
          {" "}
          {count(history.limit)}, as it is: {count(asItIs.keys)}, {percent(asItIs.refused, asItIs.asked)}.
          {history.left.units > 0 && ` ${count(history.left.units)} asked by others are not counted.`}
        </span>
      </p>
    </div>
  );
}

interface Sums {
  readonly keys: number;
  readonly refused: number;
  readonly asked: number;
}

function Refused({ replayed }: { replayed: readonly Replayed[] }) {
  const refused = replayed.filter((one) => one.refused > 0).sort((a, b) => b.refused - a.refused);
  if (refused.length === 0) return <p class="hint">Nobody would have been refused.</p>;
  return (
    <div class="scroll">
      <table class="would">
        <caption class="unseen">Who would have been refused</caption>
        <thead>
          <tr>
            <th scope="col">Who would be refused</th>
            <th scope="col" class="number">
              Asked
            </th>
            <th scope="col" class="number">
              Refused
            </th>
            <th scope="col" class="number">
              Most in a period
            </th>
            <th scope="col" class="number">
              First
            </th>
          </tr>
        </thead>
        <tbody>
          {refused.slice(0, SHOWN).map(({ key, asked, refused: units, peak, firstAt }) => (
            <tr key={key}>
              <th scope="row">
                <ClientName client={key} />
              </th>
              <td class="number">{count(asked)}</td>
              <td class="number refused-text">
                {count(units)} <span class="hint">{percent(units, asked)}</span>
              </td>
              <td class="number">{count(peak)}</td>
              <td class="number">{firstAt === undefined ? "" : clock(firstAt)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {refused.length > SHOWN && <p class="hint">and {count(refused.length - SHOWN)} more</p>}
    </div>
  );
}

/** The limit as a policy on trial, to be copied: the page writes no files. */
function TryIt({ api, row, limit }: { api: Api; row: LimitRow; limit: number }) {
  const [candidate, setCandidate] = useState<Candidate>();
  const [copied, setCopied] = useState("");
  const [problem, setProblem] = useState("");
  const { policy, quota, rate, mode, isInForce } = row;
  useEffect(() => {
    if (!isInForce) return undefined;
    const ended = new AbortController();
    const query = new URLSearchParams({ policy, quota, rate, mode, limit: String(limit) });
    const timer = setTimeout(() => {
      api.get<Candidate>(`candidate?${query}`, ended.signal).then(
        (found) => {
          setCandidate(found);
          setProblem("");
        },
        (error: Error) => {
          if (!ended.signal.aborted) setProblem(error.message);
        },
      );
    }, REST_MS);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [api, policy, quota, rate, mode, limit, isInForce]);
  if (!isInForce) return <p class="hint">This limit is none of the policies, so there is nothing to write.</p>;
  return (
    <figure class="try">
      <figcaption>
        Try it on real calls: as a policy on trial, which counts what it would refuse and refuses nothing. Add it to the
        policy file; the gateway reads that by itself.
      </figcaption>
      <pre>{candidate?.yaml ?? ""}</pre>
      <p class="problem">{problem}</p>
      <button
        type="button"
        class="primary"
        disabled={candidate === undefined}
        onClick={() =>
          navigator.clipboard.writeText(candidate!.yaml).then(
            () => setCopied(candidate!.name),
            () => setProblem("The browser does not let this page copy: mark the text and copy it."),
          )
        }
      >
        {copied === candidate?.name && copied !== "" ? "Copied" : "Copy"}
      </button>
    </figure>
  );
}
