import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/read-config.ts";
import type { LoggedCall } from "../../src/simulate/logged-call.ts";
import { readLog } from "../../src/simulate/readers/read-log.ts";
import { type ReplayOptions, replay } from "../../src/simulate/replay.ts";
import { type Outcome, type Tally, tally } from "../../src/simulate/tally.ts";
import { liveRun } from "./live-run.ts";

/** A tally that remembers every call. */
function listing(): Tally & { readonly outcomes: { call: LoggedCall; now: Outcome; was: Outcome }[] } {
  const outcomes: { call: LoggedCall; now: Outcome; was: Outcome }[] = [];
  const sums = tally();
  return Object.assign(Object.create(sums), {
    outcomes,
    add(call: LoggedCall, now: Outcome, was: Outcome) {
      outcomes.push({ call, now, was });
      sums.add(call, now, was);
    },
  });
}

const policies: readonly (readonly [string, string])[] = [
  ["one quota", "perClient: 10/min"],
  ["a token bucket", "perClient: 12/min burst 3"],
  ["a day of the calendar, over midnight", "perClient: 20/day UTC"],
  ["several limits", "perClient: 40/min\nglobal: 60/min\ntools: { search: 5/min, '*': 20/min }"],
  [
    "costs by arguments",
    "policies: [{ name: a, quota: 40/min, cost: { argument: size, per: 2, otherwise: 1 } }, { name: b, quota: 20/min, cost: { argument: page.size } }]",
  ],
  [
    "keys by argument, header and address",
    "policies: [{ name: a, key: [client, 'argument:repo'], quota: 5/min }, { name: b, key: [address, 'header:x-team'], quota: 9/min }]",
  ],
  [
    "a key that is counted, too",
    "policies: [{ name: a, key: [client, 'argument:size'], quota: 20/min, cost: { argument: size } }]",
  ],
  ["tiers by a claim", "tier: { claim: plan }\npolicies: [{ name: a, tiers: { pro: 15/min, '*': 5/min } }]"],
  ["places", "tools: { search: { concurrency: 1 }, '*': { quota: 60/min, concurrency: 2, lease: 5s } }"],
  ["costs by the result", "policies: [{ name: a, quota: 30/min, cost: 3, settle: { result: usage.rows } }]"],
  ["waiting in line", "perClient: 8/min\nwait: 5s"],
  ["waiting for places", "policies: [{ name: a, concurrency: 1, wait: 3s }]"],
  ["limits that adapt", "policies: [{ name: a, quota: 20/min, adapt: { slow: 2s, every: 5s, tolerate: 0.2 } }]"],
  ["loops", "perClient: 60/min\nloops: { warnAfter: 2, slowAfter: 3, stopAfter: 4, slow: 200ms, stop: 10s }"],
  ["a limit on trial beside one in force", "perClient: 15/min\npolicies: [{ name: a, quota: 5/min, mode: shadow }]"],
];

describe("a replay with the policies that were in force", () => {
  it.each(policies)("decides about every call as the gateway did: %s", async (_what, text) => {
    for (const seed of [1, 2]) {
      const { file, passed } = await liveRun(text, { seed, sizes: text.includes("loops") ? 1 : 9 });
      const log = readLog([file]);
      const list = listing();
      await replay(log.batches, { candidate: readConfig(text, "sluice.yaml", {}), tally: list });
      expect(log.stats).toMatchObject({ calls: passed.length, bad: 0 });
      const byTime = [...list.outcomes].sort((a, b) => a.call.time - b.call.time);
      expect(byTime.map(({ was }) => was.allowed)).toEqual(passed);
      expect(byTime.map(({ now }) => now.allowed)).toEqual(passed);
      // It proves nothing where nothing is refused, or everything.
      expect(list.all.refused).toBeGreaterThan(3);
      expect(list.all.refused).toBeLessThan(passed.length - 20);
      expect(list.all).toMatchObject({ newlyRefused: 0, newlyAllowed: 0 });
    }
  });

  it("lets calls wait as long as they waited", async () => {
    const text = "perClient: 8/min\nwait: 5s";
    const { file } = await liveRun(text);
    const list = listing();
    await replay(readLog([file]).batches, { candidate: readConfig(text, "x", {}), tally: list });
    const waited = list.outcomes.filter(({ now }) => (now.waitedMs ?? 0) > 0);
    expect(waited.length).toBeGreaterThan(5);
    expect(list.outcomes.map(({ now }) => now.waitedMs)).toEqual(list.outcomes.map(({ call }) => call.waitedMs ?? 0));
    expect(list.delays.count).toBe(waited.filter(({ now }) => now.allowed).length);
  });

  it("says of limits on trial what they said", async () => {
    const text = "perClient: 15/min\npolicies: [{ name: a, quota: 5/min, mode: shadow }]";
    const { file } = await liveRun(text);
    const candidate = readConfig(text, "x", {});
    const [onTrial, inForce] = [listing(), listing()];
    await replay(readLog([file]).batches, { candidate, tally: onTrial });
    await replay(readLog([file]).batches, { candidate, tally: inForce, enforce: true });
    const trial = onTrial.trials.get("a.per-minute")!.refused;
    expect(trial).toBeGreaterThan(0);
    expect(onTrial.limits.has("a.per-minute")).toBe(false);
    expect(inForce.limits.get("a.per-minute")!.refused).toBeGreaterThan(0);
    expect(inForce.trials.size).toBe(0);
  });
});

const AT = Date.UTC(2026, 10, 23, 12);
const at = (seconds: number, client = "ann", rest: Partial<LoggedCall> = {}): LoggedCall => ({
  time: AT + seconds * 1000,
  client,
  method: "tools/call",
  tool: "search",
  ...rest,
});

async function run(text: string, calls: readonly LoggedCall[], options: Partial<ReplayOptions> = {}) {
  const list = listing();
  await replay([calls], { candidate: readConfig(text, "x", {}), tally: list, ...options });
  return list;
}

const allowedOf = ({ outcomes }: { outcomes: { call: LoggedCall; now: Outcome }[] }) =>
  [...outcomes].sort((a, b) => a.call.time - b.call.time).map(({ now }) => now.allowed);

describe("replay", () => {
  it("compares two policy files call by call", async () => {
    const calls = [0, 1, 2, 3].map((second) => at(second));
    const against = readConfig("perClient: 3/min", "old", {});
    const { all, outcomes } = await run("perClient: 2/min", calls, { against });
    expect(all).toEqual({ calls: 4, refused: 2, wasRefused: 1, newlyRefused: 1, newlyAllowed: 0 });
    expect(outcomes.map(({ now, was }) => [now.allowed, was.allowed])).toEqual([
      [true, true],
      [true, true],
      [false, true],
      [false, false],
    ]);
  });

  it("compares with what the log says, where there is no other policy file", async () => {
    const calls = [at(0), at(1, "ann", { allowed: false }), at(2)];
    const { all } = await run("perClient: 2/min", calls);
    expect(all).toEqual({ calls: 3, refused: 1, wasRefused: 1, newlyRefused: 1, newlyAllowed: 1 });
  });

  it("knows who was limited, when, for how long and by what", async () => {
    const calls = [at(0), at(10), at(20), at(50), at(55), at(0, "bob")].sort((a, b) => a.time - b.time);
    const { clients, limits } = await run("perClient: 2/min", calls);
    expect([...clients.noted.keys()]).toEqual(["ann"]);
    const row = clients.noted.get("ann")!;
    // Refused at 20 s for 40 s, and then nothing more for longer.
    expect(row).toMatchObject({
      calls: 5,
      refused: 3,
      firstAt: AT + 20_000,
      lastAt: AT + 55_000,
      longestMs: 40_000,
      limitedMs: 40_000,
    });
    expect([...row.limits]).toEqual([["perclient.per-minute", 3]]);
    expect(limits.get("perclient.per-minute")).toMatchObject({ refused: 3, longestMs: 40_000 });
  });

  it("holds a place as long as a call took", async () => {
    const calls = [at(0, "ann", { durationMs: 5_000 }), at(4), at(6)];
    expect(allowedOf(await run("tools: { search: { concurrency: 1 } }", calls))).toEqual([true, false, true]);
  });

  it("finds the tier of clients in the table where the log has none", async () => {
    const text = "tier: { clients: { bob: pro } }\npolicies: [{ name: a, tiers: { pro: 2/min, '*': 1/min } }]";
    const calls = [at(0), at(1), at(2, "bob"), at(3, "bob"), at(4, "ann", { tier: "pro" })];
    expect(allowedOf(await run(text, calls))).toEqual([true, false, true, true, true]);
  });

  it("counts calls that never pass", async () => {
    const { never, limits } = await run("perClient: { quota: 2/min, cost: 5 }", [at(0)]);
    expect(never).toBe(1);
    expect(limits.get("perclient.per-minute")).toMatchObject({ refused: 1, longestMs: 0 });
  });

  describe("with clients that wait", () => {
    it("tries again when they were told to, and moves what they do afterwards", async () => {
      const calls = [at(0), at(1), at(2), at(3), at(70)];
      const { all, delays, outcomes } = await run("perClient: 2/min", calls, { behaviour: "wait" });
      expect(all).toMatchObject({ calls: 5, refused: 0 });
      // The third one comes at 60 s instead of 2, so the fourth at 61 instead of 3, and the last one at 128 instead of 70.
      expect(delays.longestMs).toBe(58_000);
      expect(
        outcomes.filter(({ now }) => now.delayMs).map(({ call, now }) => [call.time - AT, now.delayMs, now.tries]),
      ).toEqual([[2_000, 58_000, 2]]);
    });

    it("gives up what would take too long", async () => {
      const calls = [at(0), at(1), at(2)];
      const { all } = await run("perClient: 1/h", calls, { behaviour: "wait", patienceMs: 60_000 });
      expect(all).toMatchObject({ calls: 3, refused: 2 });
    });

    it("makes nobody else wait", async () => {
      const calls = [at(0), at(1), at(2, "bob"), at(3, "bob")];
      const { outcomes } = await run("perClient: 1/10s", calls, { behaviour: "wait" });
      const late = outcomes.filter(({ now }) => now.delayMs).map(({ call, now }) => [call.client, now.delayMs]);
      expect(late).toEqual([
        ["ann", 9_000],
        ["bob", 9_000],
      ]);
    });
  });

  it("with clients that retry, tries after 1, 2 and 4 seconds, whatever they are told", async () => {
    const calls = [at(0), at(1), at(30)];
    const { outcomes, all } = await run("perClient: 1/5s", calls, { behaviour: "retry" });
    expect(all.refused).toBe(0);
    expect(outcomes.find(({ call }) => call.time === AT + 1_000)!.now).toMatchObject({
      allowed: true,
      tries: 4,
      delayMs: 7_000,
    });
    const hopeless = await run("perClient: 1/h", calls.slice(0, 2), { behaviour: "retry" });
    expect(hopeless.outcomes.find(({ now }) => !now.allowed)!.now).toMatchObject({ tries: 4 });
  });

  it("gives all clients the same result whether the engine is asked the short way or the long one", async () => {
    const { file } = await liveRun("perClient: 10/min");
    const short = await run("perClient: 6/min", []);
    const long = listing();
    await replay(readLog([file]).batches, { candidate: readConfig("perClient: 6/min", "x", {}), tally: short });
    // `wait` closes the short way, and never comes true.
    await replay(readLog([file]).batches, {
      candidate: readConfig("perClient: 6/min\nwait: 1ms", "x", {}),
      tally: long,
    });
    expect(long.all).toEqual(short.all);
    expect(long.all.newlyRefused).toBeGreaterThan(0);
  });
});
