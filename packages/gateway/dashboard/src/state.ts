import type { Override } from "sluice/mcp";
import type { ClientRow, Order } from "../../src/admin/clients.ts";
import type { Change } from "../../src/admin/live/changes.ts";
import type { LimitRow, Second, ToolRow } from "../../src/admin/live/counts.ts";
import type { DecisionData } from "../../src/admin/live/decision-data.ts";
import type { StatusData } from "../../src/admin/routes.ts";

export type Connection =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "lost"; readonly why: string; readonly againAt: number };

/** Everything that the page shows. Never changed in place. */
export interface State {
  readonly connection: Connection;
  /** How far the clock of the gateway is ahead of ours, in milliseconds. */
  readonly clockAheadMs: number;
  readonly status: StatusData | undefined;
  /** Seconds in which there was something, of the last 15 minutes. */
  readonly seconds: readonly Second[];
  readonly clients: readonly ClientRow[];
  /** Clients that the gateway knows, and of those who are near to a limit. */
  readonly known: number;
  readonly near: number;
  /** So long took 99 of 100 decisions at most, in milliseconds. */
  readonly slowMs: number | undefined;
  readonly clientOrder: Order;
  readonly tools: readonly ToolRow[];
  readonly limits: readonly LimitRow[];
  readonly overrides: readonly Override[];
  /** What was changed lately, oldest first. */
  readonly changes: readonly Change[];
  /** The last ones, latest first. */
  readonly decisions: readonly DecisionData[];
  /** Decisions of the last second that are counted and not shown. */
  readonly unsent: number;
  /** What was decided while the connection was lost, and is not there any more. */
  readonly missed: number;
  /** What was done, for people to read. */
  readonly notice: { readonly text: string; readonly isBad: boolean } | undefined;
}

const EMPTY: State = {
  connection: { kind: "connecting" },
  clockAheadMs: 0,
  status: undefined,
  seconds: [],
  clients: [],
  known: 0,
  near: 0,
  slowMs: undefined,
  clientOrder: "calls",
  tools: [],
  limits: [],
  overrides: [],
  changes: [],
  decisions: [],
  unsent: 0,
  missed: 0,
  notice: undefined,
};

export interface Store {
  readonly state: State;
  change(patch: Partial<State>): void;
  subscribe(changed: () => void): () => void;
}

/** Listeners hear at most once a frame, however much changes; a page that nobody looks at has no frames, and hears nothing. */
export function createStore(): Store {
  let state = EMPTY;
  const listeners = new Set<() => void>();
  let isAsked = false;
  return {
    get state() {
      return state;
    },
    change(patch) {
      state = { ...state, ...patch };
      if (isAsked) return;
      isAsked = true;
      requestAnimationFrame(() => {
        isAsked = false;
        for (const changed of listeners) changed();
      });
    },
    subscribe(changed) {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
  };
}
