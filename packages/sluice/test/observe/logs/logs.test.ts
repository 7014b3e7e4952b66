import { Writable } from "node:stream";
import { pino } from "pino";
import { type LogDecisionsOptions, logDecisions, logUpstreams } from "sluice/logs";
import type { OutboundEvent } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { describe, expect, it, vi } from "vitest";
import { scene } from "../scene.ts";

/** A real pino, and what it has written. */
function written() {
  const lines: any[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      for (const line of String(chunk).trim().split("\n")) {
        const { time: _, pid: _pid, hostname: _host, ...rest } = JSON.parse(line);
        lines.push(rest);
      }
      done();
    },
  });
  return { lines, log: pino({ level: "debug", base: null }, stream) };
}

const WARN = 40;

function watched(options: LogDecisionsOptions = {}, limits: object = { tools: { "*": "1/h" } }) {
  const clock = manualClock();
  const { lines, log } = written();
  const made = scene({ ...limits, onDecision: logDecisions(log, { clock, ...options }) });
  const refusals = () => lines.filter(({ level }) => level === WARN);
  return { ...made, clock, lines, refusals };
}

describe("what is decided", () => {
  it("is logged: the first refusal at once, more as a count when some time has passed", async () => {
    const { call, clock, refusals, lines } = watched({}, { tools: { "*": "1/h" }, tier: () => "pro" });
    await call("search");
    expect(lines).toMatchObject([{ level: 20, msg: "allowed", client: "somebody", tool: "search", policy: "tools.*" }]);
    for (let i = 0; i < 4; i++) await call("search");
    const about = { level: WARN, client: "somebody", tier: "pro", method: "tools/call", tool: "search" };
    const limit = { policy: "tools.*", quota: "tools.other.per-hour", retryAfterMs: 3_600_000, degraded: false };
    expect(refusals()).toEqual([{ ...about, ...limit, waitedMs: 0, msg: "refused" }]);
    await clock.advance(9_999);
    expect(refusals()).toHaveLength(1);
    await clock.advance(1);
    expect(refusals()[1]).toMatchObject({ ...about, times: 3, msg: "refused again" });
    await clock.advance(60_000);
    expect(refusals()).toHaveLength(2);
    // Nothing is timed when there is nothing to tell.
    expect(clock.pending).toBe(0);
    await call("search");
    expect(refusals()[2]).toMatchObject({ msg: "refused" });
    expect(refusals()[2].times).toBeUndefined();
  });

  it("is told for each client and tool by itself, and limits on trial say so", async () => {
    const { call, refusals } = watched({}, { policies: [{ name: "trial", quota: "1/h", mode: "shadow" }] });
    for (const client of ["a", "b"]) for (const tool of ["x", "x", "y"]) await call(tool, { client });
    expect(refusals().map(({ client, tool, msg }) => [client, tool, msg])).toEqual([
      ["a", "x", "would have been refused (shadow)"],
      ["a", "y", "would have been refused (shadow)"],
      ["b", "x", "would have been refused (shadow)"],
      ["b", "y", "would have been refused (shadow)"],
    ]);
  });

  it("costs nothing where it would not be written", async () => {
    const { log, lines } = written();
    log.level = "warn";
    const { call } = scene({ tools: { "*": "1/h" }, onDecision: logDecisions(log) });
    const debug = vi.spyOn(log, "debug");
    await call("search");
    expect(debug).not.toHaveBeenCalled();
    await call("search");
    expect(lines).toHaveLength(1);
  });

  it("never has arguments, and only the beginning of a name that somebody made up", async () => {
    const { call, lines } = watched();
    await call("x".repeat(100_000));
    await call("x".repeat(100_000));
    expect(JSON.stringify(lines)).not.toContain("secret");
    expect(JSON.stringify(lines).length).toBeLessThan(1_000);
  });

  it("is bounded: who makes up tools is not remembered for ever, and no count is lost", async () => {
    const { call, refusals, clock } = watched({ maxKeys: 2 });
    for (const tool of ["a", "a", "a", "b", "c", "d"]) await call(tool);
    expect(refusals().map(({ tool, times }) => [tool, times])).toEqual([
      ["a", undefined],
      ["b", undefined],
      // Pushed out by c.
      ["a", 1],
      ["c", undefined],
      ["d", undefined],
    ]);
    await clock.advance(10_000);
    expect(refusals()).toHaveLength(5);
  });

  it.each([{ everyMs: 0 }, { maxKeys: 0 }])("is refused for options that cannot be: %j", (options) => {
    expect(() => logDecisions(written().log, options)).toThrow(RangeError);
  });
});

describe("what upstreams do", () => {
  it("is logged when somebody should know", async () => {
    const clock = manualClock();
    const { lines, log } = written();
    const hear = logUpstreams(log, { clock });
    const upstream = "api";
    const change = { generation: 1, cause: "outcomes", openForMs: 500 } as const;
    const events: OutboundEvent[] = [
      { upstream, type: "queued", position: 1, startsInMs: 5 },
      { upstream, type: "started", attempt: 1, waitedMs: 5 },
      { upstream, type: "ended", attempt: 1, outcome: "ok", tookMs: 5 },
      { upstream, type: "retry", attempt: 1, delayMs: 100 },
      { upstream, type: "throttled", pausedForMs: 7 },
      { upstream, type: "throttled", pausedForMs: 8 },
      { upstream, type: "throttled", pausedForMs: 9 },
      { upstream, type: "used-elsewhere", limit: "10/min", units: 3 },
      { upstream, type: "store-failed", error: new Error("down") },
      { upstream, type: "refused", reason: "deadline", retryAfterMs: 5 },
      { upstream, type: "refused", reason: "queue-full" },
      { upstream, type: "breaker", from: "closed", to: "open", ...change },
      { upstream, type: "breaker", from: "open", to: "half-open", ...change },
    ];
    for (const event of events) hear(event);
    await clock.advance(10_000);
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      [20, "an attempt failed, and is repeated"],
      [40, "the upstream says that calls come too fast"],
      [40, "others use this limit, too"],
      [50, "the store cannot be asked"],
      [40, "a call was not made"],
      [40, "a call was not made"],
      [40, "the circuit breaker opened"],
      [30, "the circuit breaker is half-open now"],
      [40, "the upstream says that calls come too fast"],
    ]);
    expect(lines[3].err.message).toBe("down");
    expect(lines.at(-1)).toMatchObject({ upstream, pausedForMs: 9, times: 2 });
  });
});
