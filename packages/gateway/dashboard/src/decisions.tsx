import { useState } from "preact/hooks";
import type { DecisionData } from "../../src/admin/live/decision-data.ts";
import { ClientName } from "./client-name.tsx";
import { clock, count, duration } from "./format.ts";
import { outcomeOf } from "./outcome.ts";
import { Scroll } from "./scroll.tsx";
import type { State } from "./state.ts";
import { Why } from "./why.tsx";

/** What is shown of the log. */
export interface Filter {
  readonly outcome: "all" | "refused" | "waited" | "trial";
  /** A part of a client's key, or of the name of a tool. */
  readonly text: string;
}

export const NO_FILTER: Filter = { outcome: "all", text: "" };

const SHOWN = 100;

interface DecisionsProps {
  readonly state: State;
  readonly filter: Filter;
  setFilter(filter: Filter): void;
}

/** Decisions as they are made. Each says why. */
export function Decisions({ state, filter, setFilter }: DecisionsProps) {
  /** What was there when it was paused. */
  const [paused, setPaused] = useState<readonly DecisionData[]>();
  const [open, setOpen] = useState<number>();
  const { decisions, unsent, missed } = state;
  const fresh = paused === undefined ? 0 : newerThan(decisions, paused[0]?.id ?? 0);
  const shown = (paused ?? decisions).filter((decision) => fits(decision, filter)).slice(0, SHOWN);

  function toggle(id: number): void {
    setOpen(open === id ? undefined : id);
    // What one reads does not run away.
    if (open !== id && paused === undefined) setPaused(decisions);
  }

  return (
    <section class="panel" id="decisions" aria-labelledby="decisions-title">
      <header>
        <h2 id="decisions-title">Decisions</h2>
        <span class="hint">
          {unsent > 0 && `${count(unsent)} more per second than are shown`}
          {missed > 0 && ` ${count(missed)} were missed while the connection was lost`}
        </span>
        <span class="tools">
          <input
            type="search"
            aria-label="Client or tool"
            placeholder="Client or tool"
            value={filter.text}
            onInput={({ currentTarget }) => setFilter({ ...filter, text: currentTarget.value })}
          />
          <select
            aria-label="Outcome"
            value={filter.outcome}
            onChange={({ currentTarget }) =>
              setFilter({ ...filter, outcome: currentTarget.value as Filter["outcome"] })
            }
          >
            <option value="all">All</option>
            <option value="refused">Refused</option>
            <option value="waited">Waited</option>
            <option value="trial">On trial</option>
          </select>
          <button
            type="button"
            aria-pressed={paused !== undefined}
            onClick={() => setPaused(paused === undefined ? decisions : undefined)}
          >
            {paused === undefined ? "Pause" : fresh === 0 ? "Resume" : `Resume, ${count(fresh)} new`}
          </button>
        </span>
      </header>
      {shown.length === 0 ? (
        <p class="empty">{decisions.length === 0 ? "Nothing has been decided yet." : "Nothing fits."}</p>
      ) : (
        <Scroll title="decisions-title" class="log">
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Outcome</th>
                <th scope="col">Client</th>
                <th scope="col">Call</th>
                <th scope="col">Limit that matters most</th>
                <th scope="col">
                  <span class="unseen">Why</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((decision) => (
                <Rows
                  key={decision.id}
                  decision={decision}
                  isOpen={open === decision.id}
                  toggle={() => toggle(decision.id)}
                />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}

function Rows({ decision, isOpen, toggle }: { decision: DecisionData; isOpen: boolean; toggle(): void }) {
  const { id, at, client, tier, tool, method, quota, decisions, waitedMs, retryAfterMs, allowed } = decision;
  const { tone, name } = outcomeOf(decision);
  const matters = decisions.find((one) => one.quota === quota);
  return (
    <>
      <tr class={isOpen ? "open" : undefined}>
        <td class="hint">{clock(at)}</td>
        <td>
          <span class={`tag ${tone}`}>{name}</span>
          {waitedMs > 0 && <span class="hint"> after {duration(waitedMs)}</span>}
        </td>
        <td>
          <ClientName client={client} />
          {tier !== undefined && <span class="tag">{tier}</span>}
        </td>
        <td>{tool ?? method}</td>
        <td>
          {matters?.policy ?? quota}
          {matters !== undefined && (
            <span class="hint">
              {` ${matters.remaining}/${matters.limit} left`}
              {!allowed && Number.isFinite(retryAfterMs) && `, again in ${duration(retryAfterMs)}`}
            </span>
          )}
        </td>
        <td class="row-actions">
          <button type="button" class="quiet" aria-expanded={isOpen} aria-controls={`why-${id}`} onClick={toggle}>
            Why?
          </button>
        </td>
      </tr>
      {isOpen && (
        <tr class="why" id={`why-${id}`}>
          <td colSpan={6}>
            <Why decision={decision} />
          </td>
        </tr>
      )}
    </>
  );
}

function fits({ client, tool, method, mode, allowed, waitedMs }: DecisionData, { outcome, text }: Filter): boolean {
  if (outcome === "refused" && (allowed || mode === "shadow")) return false;
  if (outcome === "waited" && waitedMs === 0) return false;
  if (outcome === "trial" && (mode !== "shadow" || allowed)) return false;
  const wanted = text.trim().toLowerCase();
  return wanted === "" || [client, tool ?? method].some((one) => one.toLowerCase().includes(wanted));
}

function newerThan(decisions: readonly DecisionData[], id: number): number {
  const at = decisions.findIndex((one) => one.id <= id);
  return at === -1 ? decisions.length : at;
}
