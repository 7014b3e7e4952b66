import type { Override } from "sluice/mcp";
import type { ClientRow } from "../../src/admin/clients.ts";
import type { Change } from "../../src/admin/live/changes.ts";
import type { LimitRow, ToolRow } from "../../src/admin/live/counts.ts";
import type { StatusData } from "../../src/admin/routes.ts";
import type { Api } from "./api.ts";
import type { Store } from "./state.ts";

const EVERY_MS = 2_000;
const SHOWN_CLIENTS = 25;

/** Asks for the tables, now and every two seconds, while somebody looks. */
export function refreshing(api: Api, store: Store): { now(): Promise<void>; end(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasEnded = false;

  async function look(): Promise<void> {
    const [status, clients, tools, limits, overrides, changes] = await Promise.all([
      api.get<StatusData>("status"),
      api.get<{ clients: readonly ClientRow[]; known: number }>(
        `clients?top=${SHOWN_CLIENTS}&by=${store.state.clientOrder}`,
      ),
      api.get<{ tools: readonly ToolRow[] }>("tools"),
      api.get<{ limits: readonly LimitRow[] }>("limits"),
      api.get<{ overrides: readonly Override[] }>("overrides"),
      api.get<{ changes: readonly Change[] }>("changes"),
    ]);
    store.change({ status, ...clients, ...tools, ...limits, ...overrides, ...changes });
  }

  async function again(): Promise<void> {
    clearTimeout(timer);
    // Whoever follows the events says that the gateway is gone.
    if (!document.hidden) await look().catch(() => {});
    clearTimeout(timer);
    if (!hasEnded) timer = setTimeout(again, EVERY_MS);
  }

  const seen = () => void (document.hidden || again());
  document.addEventListener("visibilitychange", seen);
  void again();
  return {
    now: again,
    end() {
      hasEnded = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    },
  };
}
