import type { Second } from "../../src/admin/live/counts.ts";
import type { DecisionData } from "../../src/admin/live/decision-data.ts";
import { type Api, ApiError } from "./api.ts";
import { serverEvents } from "./server-events.ts";
import type { Store } from "./state.ts";

interface Tick {
  readonly now: number;
  readonly points: readonly Second[];
  readonly unsent: number;
  readonly clients: number;
  readonly near: number;
  readonly slowMs?: number;
}

const KEPT_DECISIONS = 500;
const KEPT_MS = 900_000;
/** There is a tick each second: a connection without one is dead, even if nobody has said so. */
const SILENCE_MS = 6_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** Decisions are shown together, not one by one. */
const SHOW_EVERY_MS = 200;

/** Keeps the page up to date until the signal: what happens, and after a break what happened meanwhile. @throws ApiError when the token is no good */
export async function follow(api: Api, store: Store, signal: AbortSignal): Promise<void> {
  let startedAt: number | undefined;
  let last = 0;
  let pauseMs = FIRST_PAUSE_MS;
  let fresh: DecisionData[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  function show(): void {
    timer = undefined;
    const decisions = [...fresh.reverse(), ...store.state.decisions].slice(0, KEPT_DECISIONS);
    fresh = [];
    store.change({ decisions });
  }

  function hear(name: string, data: any): void {
    if (name === "hello") {
      if (startedAt !== undefined && startedAt !== data.startedAt) {
        // Another process: its ids begin anew, and so does what it has counted.
        fresh = [];
        last = 0;
        startedAt = undefined;
        store.change({ decisions: [], seconds: [], missed: 0 });
        throw new Restarted();
      }
      startedAt = data.startedAt;
    } else if (name === "decision") {
      const decision = data as DecisionData;
      last = decision.id;
      fresh.push(decision);
      timer ??= setTimeout(show, SHOW_EVERY_MS);
    } else if (name === "missed") {
      // A page that has just been opened has missed nothing.
      if (store.state.decisions.length > 0) store.change({ missed: data.count });
    } else if (name === "tick") {
      const { now, points, unsent, clients, near, slowMs } = data as Tick;
      const seconds = merged(store.state.seconds, points, now);
      store.change({ seconds, unsent, known: clients, near, slowMs, clockAheadMs: now - Date.now() });
    }
  }

  async function once(): Promise<void> {
    const cut = new AbortController();
    const cutOff = () => cut.abort();
    signal.addEventListener("abort", cutOff);
    let silence = setTimeout(cutOff, SILENCE_MS);
    try {
      const stream = await api.stream(last, cut.signal);
      const since = store.state.seconds.at(-1)?.at ?? 0;
      const { points, now } = await api.get<{ points: readonly Second[]; now: number }>(`series?since=${since}`);
      store.change({ seconds: merged(store.state.seconds, points, now), connection: { kind: "live" } });
      for await (const { name, data } of serverEvents(stream)) {
        pauseMs = FIRST_PAUSE_MS;
        clearTimeout(silence);
        silence = setTimeout(cutOff, SILENCE_MS);
        hear(name, data);
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", cutOff);
    }
  }

  while (!signal.aborted) {
    try {
      await once();
    } catch (error) {
      if (error instanceof Restarted) continue;
      if (error instanceof ApiError && error.status === 401) throw error;
    }
    if (signal.aborted) break;
    store.change({
      connection: { kind: "lost", why: "The gateway cannot be reached.", againAt: Date.now() + pauseMs },
    });
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
  clearTimeout(timer);
}

class Restarted extends Error {
  override readonly name = "Restarted";
}

/** Each second once, the later word counts. */
function merged(known: readonly Second[], more: readonly Second[], now: number): readonly Second[] {
  const [first] = more;
  if (first === undefined) return known;
  const latest = new Map([...known, ...more].map((second) => [second.at, second]));
  return [...latest.values()].filter(({ at }) => at > now - KEPT_MS).sort((a, b) => a.at - b.at);
}

/** Ends early when the network comes back. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}
