import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { worstWindow } from "../oracle/windows.ts";
import { crew, endAll, newStore, startsOf, type Worker } from "./crew.ts";

const SLOW = { timeout: 60_000 };
const LIMIT = 20;
const PERIOD_MS = 500;
const upstream = { limit: `${LIMIT}/${PERIOD_MS}ms` };
/** Grants must be used within a fiftieth of the period. */
const GRACE_MS = PERIOD_MS / 50;

afterEach(endAll);

const worst = (starts: readonly number[]) => worstWindow(starts, PERIOD_MS);
const allDone = (workers: readonly Worker[]) => Promise.all(workers.map(({ done }) => done));

describe.each(["SQLite", "Redis"] as const)("calls of processes over %s", (kind) => {
  it("start within the limit in any window, together as one process would", SLOW, async () => {
    const { name } = await newStore(kind);
    const workers = await crew(4, name, { calls: 12, upstream });
    await allDone(workers);
    const starts = startsOf(workers);
    expect(starts.length).toBe(48);
    expect(worst(starts)).toBeLessThanOrEqual(LIMIT);
    // Three rounds are two periods. Whoever hands the limit on once a heartbeat takes many times as long.
    expect(Math.max(...starts) - Math.min(...starts)).toBeLessThan(8 * PERIOD_MS);
  });

  it("go on when others are killed or stopped, and never exceed the limit", SLOW, async () => {
    const { name } = await newStore(kind);
    const workers = await crew(6, name, { calls: 12, upstream, gapMs: 60 });
    const [killed, alsoKilled, stopped, alsoStopped, ...others] = workers as [
      Worker,
      Worker,
      Worker,
      Worker,
      ...Worker[],
    ];
    await killed.started(2);
    await killed.kill();
    for (const ms of [GRACE_MS / 2, 5 * GRACE_MS, PERIOD_MS]) {
      await stopped.started(1);
      stopped.child.kill("SIGSTOP");
      alsoStopped.child.kill("SIGSTOP");
      await pause(ms);
      stopped.child.kill("SIGCONT");
      await pause(ms);
      alsoStopped.child.kill("SIGCONT");
      await pause(50);
    }
    await alsoKilled.kill();
    await allDone([stopped, alsoStopped, ...others]);
    expect(worst(startsOf(workers))).toBeLessThanOrEqual(LIMIT);
    for (const worker of [stopped, alsoStopped, ...others]) expect(worker.made().length).toBe(12);
  });
});
