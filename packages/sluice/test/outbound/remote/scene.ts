import type { Store } from "sluice";
import { type CallOptions, createUpstreams, type OutboundEvent, type UpstreamOptions } from "sluice/outbound";
import { type ManualClock, manualClock } from "sluice/testing";
import { sharedModel, type Wire } from "./shared-model.ts";

export interface SceneOptions {
  /** @default 2 */
  readonly processes?: number;
  /** @default true */
  readonly hasQueue?: boolean;
  /** What each process puts around the store. @default nothing */
  readonly wrap?: (store: Store) => Store;
}

/** How the way to the store is, to be changed at any time. */
export interface Link {
  /** Each way, in milliseconds. */
  delayMs: number;
  /** `deaf`: the store does what it is asked, and the answer is lost. */
  health: "up" | "down" | "deaf";
  news: "once" | "twice" | "lost";
}

/**
 * Processes in virtual time, each with the same upstream over one store. Times are milliseconds from the start.
 * The clock's pending timers are those that keep a process alive.
 */
export function scene(config: UpstreamOptions | string, options: SceneOptions = {}) {
  const { processes: count = 2, hasQueue = true, wrap = (store) => store } = options;
  const manual = manualClock();
  let alive = 0;
  const clock: ManualClock = {
    ...manual,
    get pending() {
      return alive;
    },
    after(ms, callback, isBackground) {
      if (isBackground) return manual.after(ms, callback);
      alive++;
      let isOver = false;
      const over = () => {
        if (!isOver) alive--;
        isOver = true;
      };
      const cancel = manual.after(ms, () => {
        over();
        callback();
      });
      return () => {
        over();
        cancel();
      };
    },
  };
  const model = sharedModel(() => clock.elapsed());
  const begin = clock.elapsed();
  const now = () => (clock.elapsed() - begin) / 1000;
  const started: { readonly name: string; readonly at: number }[] = [];
  const ended: string[] = [];
  const wait = (ms: number) => new Promise<void>((resolve) => (ms > 0 ? clock.after(ms, resolve) : resolve()));

  function wireOf(link: Link): Wire {
    return {
      async ask(act) {
        if (link.health === "down") throw new Error("connect ECONNREFUSED");
        await wait(link.delayMs);
        const answer = act();
        if (link.health === "deaf") throw new Error("the connection was lost before the answer came");
        await wait(link.delayMs);
        return answer;
      },
      push(deliver) {
        if (link.health === "down" || link.news === "lost") return;
        void wait(link.delayMs).then(deliver);
        if (link.news === "twice") void wait(link.delayMs + 1).then(deliver);
      },
    };
  }

  function process() {
    const link: Link = { delayMs: 0, health: "up", news: "once" };
    const events: OutboundEvent[] = [];
    const store = wrap(model.connect({ wire: wireOf(link), clock, hasQueue }));
    const upstreams = createUpstreams({ api: config }, { store, onEvent: (event) => void events.push(event) });

    /** A call that takes so long. Resolves when it has ended, however it did. */
    function call(name: string, callOptions?: CallOptions, tookMs = 0, value: unknown = name): Promise<void> {
      const made = upstreams.api.run<unknown>(async () => {
        started.push({ name, at: now() });
        await wait(tookMs);
        return value;
      }, callOptions);
      return made.then(
        () => void ended.push(`${name} ${now()}`),
        (error) => void ended.push(`${name} ${error.reason ?? error.message} ${now()}`),
      );
    }
    return { link, store, upstreams, api: upstreams.api, events, call };
  }

  const processes = Array.from({ length: count }, process);
  return {
    clock,
    model,
    now,
    processes,
    started,
    ended,
    names: () => started.map(({ name }) => name).join(" "),
    times: () => started.map(({ at }) => at),
    /** Calls of a process: `a1`, `a2`, … */
    calls(i: number, amount: number, callOptions?: CallOptions, tookMs = 0): void {
      for (let n = 1; n <= amount; n++) void processes[i]!.call(`${"abcdefgh"[i]}${n}`, callOptions, tookMs);
    },
  };
}

/** A response as an upstream gives it. */
export const response = (status: number, headers: Record<string, string> = {}) => ({
  status,
  headers: new Headers(headers),
});
