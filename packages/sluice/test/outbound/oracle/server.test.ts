import { afterEach, describe, expect, it } from "vitest";
import { startOracleApart } from "./apart.ts";
import { type Oracle, type OracleOptions, startOracle } from "./server.ts";
import { worstWindow } from "./windows.ts";

const HOUR_MS = 3_600_000;
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

const running: Oracle[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((oracle) => oracle.stop()));
});

async function statuses({ url }: Oracle, paths: readonly string[]): Promise<readonly number[]> {
  const all: number[] = [];
  for (const path of paths) {
    const response = await fetch(url + path);
    await response.text();
    all.push(response.status);
  }
  return all;
}

const together = (oracle: Oracle, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => statuses(oracle, [`/${i}`])));

describe.each([
  ["in this process", startOracle],
  ["in its own process", startOracleApart],
])("an oracle %s", (_where, start) => {
  const begin = async (options: OracleOptions) => {
    const oracle = await start(options);
    running.push(oracle);
    return oracle;
  };

  it("answers 200 up to its limit and then 429, and remembers what arrived when", async () => {
    const oracle = await begin({ limit: 2, periodMs: HOUR_MS });
    const from = nowMs();
    expect(await statuses(oracle, ["/a", "/b", "/c"])).toEqual([200, 200, 429]);
    const until = nowMs();
    const { arrivals, rejected, peak } = await oracle.report();
    expect(arrivals.map(({ path, status }) => `${path} ${status}`)).toEqual(["/a 200", "/b 200", "/c 429"]);
    expect({ rejected, peak }).toEqual({ rejected: 1, peak: 1 });
    const stamps = arrivals.map(({ atMs }) => atMs);
    expect([...stamps].sort((a, b) => a - b)).toEqual(stamps);
    expect(Math.min(...stamps)).toBeGreaterThan(from);
    expect(Math.max(...stamps)).toBeLessThan(until);
    expect(worstWindow(stamps, HOUR_MS)).toBe(3);
  });

  it.each(["sliding", "fixed", "bucket", "gcra"] as const)("counts as %s", async (policy) => {
    // An edge of the fixed windows is half a period away.
    const oracle = await begin({ policy, limit: 3, periodMs: HOUR_MS, offsetMs: nowMs() + HOUR_MS / 2 });
    expect(await statuses(oracle, ["/", "/", "/", "/"])).toEqual([200, 200, 200, 429]);
  });

  it("bans whoever violates the limit", async () => {
    const oracle = await begin({ limit: 1, periodMs: 1, banMs: HOUR_MS });
    const seen = (await together(oracle, 50)).flat();
    expect(new Set(seen)).toEqual(new Set([200, 429, 403]));
    expect(seen.filter((status) => status === 429)).toHaveLength(1);
    // Without the ban, the limit would allow this.
    const last = nowMs();
    while (nowMs() <= last + 1);
    expect(await statuses(oracle, ["/"])).toEqual([403]);
  });
});

describe("an oracle's latency", () => {
  it("lies before the stamp or after it", async () => {
    const far = await startOracle({ limit: 10, periodMs: 1000, beforeMs: [40, 40] });
    const slow = await startOracle({ limit: 10, periodMs: 1000, afterMs: [40, 40] });
    running.push(far, slow);
    const [sent] = [nowMs(), await together(far, 1)];
    expect((await far.report()).arrivals[0]!.atMs - sent).toBeGreaterThan(38);
    await together(slow, 1);
    expect(nowMs() - (await slow.report()).arrivals[0]!.atMs).toBeGreaterThan(38);
  });

  it("lets requests overtake each other", async () => {
    const oracle = await startOracle({ limit: 100, periodMs: 1000, beforeMs: [0, 300], seed: 5 });
    running.push(oracle);
    await together(oracle, 8);
    const order = (await oracle.report()).arrivals.map(({ path }) => path);
    const sorted = Array.from({ length: 8 }, (_, i) => `/${i}`);
    expect([...order].sort()).toEqual(sorted);
    expect(order).not.toEqual(sorted);
  });

  it("counts how many are there at once", async () => {
    const oracle = await startOracle({ limit: 100, periodMs: 1000, afterMs: [100, 100] });
    running.push(oracle);
    await together(oracle, 10);
    const { peak } = await oracle.report();
    expect(peak).toBeGreaterThan(1);
    expect(peak).toBeLessThanOrEqual(10);
  });
});

it("is not delayed by a stalled client when it has its own process", async () => {
  const oracle = await startOracleApart({ limit: 10, periodMs: 1000 });
  running.push(oracle);
  await statuses(oracle, ["/first"]);
  const [sent, answer] = [nowMs(), fetch(`${oracle.url}/second`)];
  // The request leaves in the next turns of the loop; then nothing runs here for a while.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  const stalledUntil = nowMs();
  await (await answer).text();
  const second = (await oracle.report()).arrivals[1]!.atMs;
  expect(second).toBeGreaterThan(sent);
  expect(second).toBeLessThan(stalledUntil);
});

it("says what servers say about their limits", async () => {
  const oracle = await startOracle({
    limit: 1,
    periodMs: 60_000,
    headers: ["Retry-After", "X-RateLimit", "RateLimit"],
  });
  running.push(oracle);
  const fields = async () => Object.fromEntries((await fetch(oracle.url)).headers);
  const allowed = await fields();
  expect(allowed).toMatchObject({
    "ratelimit-policy": '"oracle";q=1;w=60',
    ratelimit: '"oracle";r=0;t=60',
    "x-ratelimit-limit": "1",
    "x-ratelimit-remaining": "0",
  });
  expect(allowed).not.toHaveProperty("retry-after");
  expect(Number(allowed["x-ratelimit-reset"]) * 1000 - Date.now()).toBeGreaterThan(0);
  const refused = await fields();
  expect(Number(refused["retry-after"])).toBeGreaterThan(0);
  expect(Number(refused["retry-after"])).toBeLessThanOrEqual(60);
});
