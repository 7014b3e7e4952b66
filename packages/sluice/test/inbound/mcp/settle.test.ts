import { memoryStore, type Store } from "sluice";
import { createMcpGate, limitFetch, limitTool, type McpRateLimitOptions, type Policy } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { setup } from "./fake-transport.ts";

const tokens: Policy = { name: "tokens", quota: "100/h", cost: 10, settle: { result: "usage" } };

/** By limit. */
const costs: Record<number, number> = { 100: 10 };

let id = 0;
function scene(options: McpRateLimitOptions) {
  const gate = createMcpGate({ store: memoryStore({ clock: manualClock() }), ...options });
  const origin = { connection: "a" };
  const request = (name = "t") => ({ jsonrpc: "2.0", id: ++id, method: "tools/call", params: { name } }) as const;
  const remaining = async () => {
    const { limits } = await gate.explain(request(), origin);
    // What one more call would leave, and that call.
    return limits.map(({ decision }) => decision.remaining + (decision.allowed ? (costs[decision.limit] ?? 1) : 0));
  };
  /** Calls that came together, and the answers of the server. */
  const run = async (...results: unknown[]) => {
    const requests = results.map(() => request());
    const admission = await gate.admit(requests, origin);
    for (const [i, result] of results.entries()) gate.sawAnswer(requests[i]!, origin, result);
    admission.finish();
    return admission.refusal === undefined;
  };
  return { gate, run, remaining };
}

describe("a call whose result says what it cost", () => {
  it("is charged at first what `cost` says, then what it cost", async () => {
    const { run, remaining } = scene({ policies: [tokens] });
    await run({ usage: 25 });
    expect(await remaining()).toEqual([75]);
    await run({ usage: 0 });
    expect(await remaining()).toEqual([75]);
  });

  it("is charged beyond the limit, because the work has been done", async () => {
    const { run, remaining } = scene({ policies: [tokens] });
    expect(await run({ usage: 500 })).toBe(true);
    expect(await remaining()).toEqual([0]);
    expect(await run({ usage: 0 })).toBe(false);
  });

  it("keeps what it was charged when the result says nothing", async () => {
    const { run, remaining } = scene({ policies: [tokens] });
    await run({ content: [] });
    await run({ code: -32_603, message: "failed" });
    expect(await remaining()).toEqual([80]);
  });

  it("corrects only the limits that settle", async () => {
    const { run, remaining } = scene({ perClient: "50/h", policies: [tokens] });
    await run({ usage: 40 });
    expect(await remaining()).toEqual([49, 60]);
  });

  it("is settled by itself when several came together, and once", async () => {
    const { gate, run, remaining } = scene({ policies: [tokens] });
    await run({ usage: 1 }, { none: true }, { usage: 30 });
    expect(await remaining()).toEqual([100 - 1 - 10 - 30]);
    const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t" } } as const;
    await gate.admit([request], { connection: "a" });
    gate.sawAnswer(request, { connection: "a" }, { usage: 2 });
    gate.sawAnswer(request, { connection: "a" }, { usage: 50 });
    expect(await remaining()).toEqual([57]);
  });

  it("is settled on trial, too", async () => {
    const seen: number[] = [];
    const { run } = scene({
      policies: [{ ...tokens, mode: "shadow" }],
      onDecision: ({ mode, decision }) => void (mode === "shadow" && seen.push(decision.remaining)),
    });
    await run({ usage: 60 });
    await run({ usage: 60 });
    expect(seen).toEqual([90, 30]);
  });

  it("is settled by a function, and by none that gives nonsense or throws", async () => {
    for (const [usage, left] of [
      [30, 70],
      [2.5, 97],
      [-1, 90],
      [Number.NaN, 90],
    ] as const) {
      const { run, remaining } = scene({ policies: [{ ...tokens, settle: () => usage }] });
      await run({});
      expect(await remaining()).toEqual([left]);
    }
    const { run, remaining } = scene({
      policies: [
        {
          ...tokens,
          settle: () => {
            throw new Error("no");
          },
        },
      ],
    });
    await run({});
    expect(await remaining()).toEqual([90]);
  });

  it("is charged what `cost` says while the store fails", async () => {
    const memory = memoryStore();
    let fails = false;
    const store: Store = {
      take: async (demands, options) => {
        if (fails) throw new Error("down");
        return memory.take(demands, options);
      },
      forget: async (accounts) => memory.forget(accounts),
    };
    const { gate, remaining } = scene({ store, policies: [tokens] });
    const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t" } } as const;
    await gate.admit([request], { connection: "a" });
    fails = true;
    gate.sawAnswer(request, { connection: "a" }, { usage: 2 });
    await new Promise(setImmediate);
    fails = false;
    expect(await remaining()).toEqual([90]);
  });
});

describe("results are seen", () => {
  const twice: McpRateLimitOptions = { tools: { echo: { quota: "10/h", settle: { result: "usage" } } } };

  it("at a transport", () => {
    const { transport, sent, call } = setup(twice);
    call(1);
    transport.send({ jsonrpc: "2.0", id: 1, result: { usage: 10 } });
    call(2);
    expect(sent[1].result.isError).toBe(true);
  });

  it("around fetch", async () => {
    const answers = limitFetch(async () => Response.json({ jsonrpc: "2.0", id: 1, result: { usage: 10 } }), {
      store: memoryStore(),
      ...twice,
    });
    const ask = async () => {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo" } });
      const response = await answers(
        new Request("http://localhost/mcp", { method: "POST", headers: { "Content-Type": "application/json" }, body }),
      );
      return ((await response.json()) as any).result;
    };
    expect(await ask()).toEqual({ usage: 10 });
    expect((await ask()).isError).toBe(true);
  });

  it("around a tool", async () => {
    const limit = { quota: "10/h", settle: { result: "usage" } } as const;
    const tool: any = limitTool({ tool: "echo", limit, store: memoryStore() }, async () => ({ usage: 10 }));
    expect(await tool({}, {})).toEqual({ usage: 10 });
    expect((await tool({}, {})).isError).toBe(true);
  });
});

it("cannot settle what has no quota", () => {
  const policy: Policy = { name: "a", concurrency: 1, settle: { result: "x" } };
  expect(() => createMcpGate({ policies: [policy] })).toThrow(
    'The policy "a": settle corrects what a quota was charged',
  );
});

it.each([{ perClient: "1/h" }, { perClient: "1/h", policies: [{ name: "places", concurrency: 1 }] }])(
  "takes nothing for a call that never ran: %j",
  async (options) => {
    const { gate, run } = scene(options);
    const request = { jsonrpc: "2.0", id: 0, method: "tools/call", params: { name: "t" } } as const;
    const admission = await gate.admit([request], { connection: "a" });
    admission.undo();
    expect(await run({})).toBe(true);
    expect(await run({})).toBe(false);
  },
);
