import { memoryStore, type Store } from "sluice";
import { createMcpGate, type McpDecisionEvent, type McpRateLimitOptions, type McpWaitingEvent } from "sluice/mcp";
import { type ManualClock, manualClock } from "sluice/testing";
import { afterEach, describe, expect, it, vi } from "vitest";

afterEach(() => vi.restoreAllMocks());

const META = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
let id = 0;

function scene(options: McpRateLimitOptions, clock = manualClock(), store: Store = memoryStore({ clock })) {
  const events: McpWaitingEvent[] = [];
  const gate = createMcpGate({ store, tools: { t: "1/2s" }, onWaiting: (event) => events.push(event), ...options });
  const ask = (signal?: AbortSignal, connection = "a") => {
    const params = { name: "t", arguments: {}, _meta: META };
    const request = { jsonrpc: "2.0", id: ++id, method: "tools/call", params } as const;
    return { request, admitted: Promise.resolve(gate.admit([request], { connection }, signal)) };
  };
  const told = () => events.map(({ reason, policy, state, waitedMs }) => [reason, policy, state, waitedMs]);
  return { clock, events, gate, ask, told };
}

/** Lets what is asked of WebCrypto come back. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  await clock.advance(ms);
}

describe("a call that waits", () => {
  it("is told of when it joins the line, and when it is let through", async () => {
    const { clock, ask, events, told } = scene({ wait: true, tier: () => "pro" });
    await ask().admitted;
    expect(events).toEqual([]);
    const waiting = [ask().admitted, ask().admitted];
    await clock.advance(0);
    expect(told()).toEqual([
      ["limit", "tools.t", "waiting", 0],
      ["limit", "tools.t", "waiting", 0],
    ]);
    expect(events[1]).toMatchObject({ client: "a", tier: "pro", call: { tool: "t", method: "tools/call" } });
    await clock.advance(4_000);
    await Promise.all(waiting);
    expect(told().slice(2)).toEqual([
      ["limit", "tools.t", "admitted", 2_000],
      ["limit", "tools.t", "admitted", 4_000],
    ]);
  });

  it("is told of when it leaves the line: refused, or because its client gave up", async () => {
    const { clock, ask, told } = scene({ wait: { maxWaitMs: 2_000 } });
    await ask().admitted;
    const controller = new AbortController();
    const given = ask(controller.signal).admitted.catch(() => "cancelled");
    await clock.advance(500);
    const refused = ask().admitted;
    await clock.advance(0);
    expect((await refused).refusal).toBeDefined();
    controller.abort();
    expect(await given).toBe("cancelled");
    expect(told()).toEqual([
      ["limit", "tools.t", "waiting", 0],
      ["limit", "tools.t", "waiting", 0],
      ["limit", "tools.t", "refused", 0],
      ["limit", "tools.t", "cancelled", 500],
    ]);
  });

  it("is told of when the store fails", async () => {
    const clock = manualClock();
    const memory = memoryStore({ clock });
    let isDown = false;
    const store: Store = {
      clock,
      forget: memory.forget,
      async take(demands, options) {
        if (isDown) throw new Error("down");
        return memory.take(demands, options);
      },
    };
    const { ask, told } = scene({ wait: true }, clock, store);
    await ask().admitted;
    const waiting = ask().admitted.catch(({ message }) => message);
    await clock.advance(0);
    isDown = true;
    await clock.advance(2_000);
    expect(await waiting).toBe("down");
    expect(told().at(-1)).toEqual(["limit", "tools.t", "failed", 2_000]);
  });

  it("is told of while a loop slows it down", async () => {
    const { clock, ask, gate, told } = scene({ tools: { t: "99/s" }, loops: { warnAfter: 2, slowAfter: 3 } });
    for (let i = 0; i < 5; i++) {
      const { request, admitted } = ask();
      await clock.advance(20_000);
      const admission = await admitted;
      if (admission.refusal !== undefined) continue;
      gate.sawAnswer(request, { connection: "a" }, { content: [] });
      admission.finish();
    }
    const [begin, end] = told();
    expect(begin).toEqual(["loop", "loop", "waiting", 0]);
    expect(end).toEqual(["loop", "loop", "resumed", expect.any(Number)]);
    expect(end![3]).toBeGreaterThan(0);
  });

  it("is told of while it is held for its next round", async () => {
    const { clock, ask, told } = scene({ tools: { t: "1/5s" }, tickets: { holdMs: 2_000 } });
    await ask().admitted;
    const held = ask().admitted;
    await pass(clock, 2_000);
    expect((await held).refusal?.ticket).toBeDefined();
    expect(told()).toEqual([
      ["round", "tools.t", "waiting", 0],
      ["round", "tools.t", "resumed", 2_000],
    ]);
  });

  it("goes on when the listener throws", async () => {
    const report = vi.spyOn(console, "error").mockImplementation(() => {});
    const { clock, ask } = scene({
      wait: true,
      onWaiting: () => {
        throw new Error("mine");
      },
    });
    await ask().admitted;
    const waiting = ask().admitted;
    await clock.advance(2_000);
    expect((await waiting).refusal).toBeUndefined();
    expect(report).toHaveBeenCalledTimes(1);
  });
});

describe("how long a decision took", () => {
  it("is told without the time in line, and with that of the store and of who says who calls", async () => {
    const clock = manualClock();
    const memory = memoryStore({ clock });
    const after = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
    const store: Store = {
      clock,
      forget: memory.forget,
      take: (demands, options) => after(3).then(() => memory.take(demands, options)),
    };
    const decisions: McpDecisionEvent[] = [];
    const { ask } = scene(
      {
        client: () => after(4).then(() => "me"),
        policies: [{ name: "trial", quota: "9/h", mode: "shadow" }],
        onDecision: (event) => decisions.push(event),
      },
      clock,
      store,
    );
    const { admitted } = ask();
    await clock.advance(20);
    await admitted;
    expect(decisions.map(({ mode, tookMs, waitedMs }) => [mode, tookMs, waitedMs])).toEqual([
      ["enforce", 7, 0],
      ["shadow", 3, 0],
    ]);
    expect(decisions[0]!.decisions.map(({ policy }) => policy)).toEqual(["tools.t"]);
    expect(decisions[1]!.decisions.map(({ policy }) => policy)).toEqual(["trial"]);
  });

  it("is measured by nobody when nobody listens", async () => {
    const clock = manualClock();
    const elapsed = vi.spyOn(clock, "elapsed");
    const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t" } } as const;
    const readings = async (options: McpRateLimitOptions) => {
      const gate = createMcpGate({ store: memoryStore({ clock }), tools: { t: "9/s" }, ...options });
      elapsed.mockClear();
      await gate.admit([request], { connection: "a" });
      return elapsed.mock.calls.length;
    };
    // Two: when it was asked, and when it had decided.
    expect((await readings({ onDecision: () => {} })) - (await readings({}))).toBe(2);
  });
});
