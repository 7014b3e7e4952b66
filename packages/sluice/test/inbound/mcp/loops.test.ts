import { memoryStore } from "sluice";
import {
  createMcpGate,
  type LoopOptions,
  limitFetch,
  type McpDecisionEvent,
  type McpGate,
  readRefusal,
} from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { connect } from "./clients.ts";
import { listenWithHandler, newLog, v2Server } from "./servers.ts";

const clock = () => manualClock();

function scene(loops: boolean | LoopOptions = true, more: object = {}) {
  const time = clock();
  const events: McpDecisionEvent[] = [];
  const gate = createMcpGate({
    loops,
    store: memoryStore({ clock: time }),
    onDecision: (event) => events.push(event),
    ...more,
  });
  return { clock: time, events, gate, make: maker(gate) };
}

let id = 0;

/** Makes calls: what the model reads, or the delay that a call had; its result is what the server says. */
function maker(gate: McpGate) {
  return async (
    result: unknown = { content: [{ type: "text", text: "same" }] },
    {
      tool = "search",
      args = { q: "x", page: 1 },
      connection = "a",
    }: { tool?: string; args?: unknown; connection?: string } = {},
  ): Promise<string> => {
    const request = {
      jsonrpc: "2.0",
      id: ++id,
      method: "tools/call",
      params: { name: tool, arguments: args },
    } as const;
    const admitted = gate.admit([request], { connection });
    if ("then" in admitted) return "waits";
    if (admitted.refusal !== undefined) {
      const { result: refused } = gate.refuse(request, admitted.refusal) as any;
      return refused.content[0].text;
    }
    gate.sawAnswer(request, { connection }, result);
    admitted.finish();
    return "runs";
  };
}

const times = async (count: number, make: () => Promise<string>) => {
  const all: string[] = [];
  for (let i = 0; i < count; i++) all.push(await make());
  return all;
};

describe("a call that repeats itself with the same result", () => {
  it("is warned once, then slowed down, then stopped", async () => {
    const { make } = scene({ slowMs: 0 });
    expect(await times(3, make)).toEqual(["runs", "runs", "runs"]);
    const warning = await make();
    expect(warning).toContain(
      'You have called the tool "search" 3 times with the same arguments, and the result was the same each time.',
    );
    expect(warning).toContain("make it once more");
    // From the fifth on they are slow, which is no delay here; after the eighth they are stopped.
    expect(await times(5, make)).toEqual(Array(5).fill("runs"));
    expect(await make()).toContain("8 times");
    expect(await make()).toContain("is refused for the next 60 seconds");
  });

  it("waits when it is slowed down, longer each time, and can be given up", async () => {
    const { gate, clock: time, make } = scene({ warnAfter: 2, slowAfter: 2, stopAfter: 9 });
    expect(await times(2, make)).toEqual(["runs", "runs"]);
    const request = {
      jsonrpc: "2.0",
      id: "slow",
      method: "tools/call",
      params: { name: "search", arguments: { q: "x", page: 1 } },
    } as const;
    let isAdmitted = false;
    const admitted = Promise.resolve(gate.admit([request], { connection: "a" })).then(() => {
      isAdmitted = true;
    });
    await time.advance(999);
    expect(isAdmitted).toBe(false);
    await time.advance(1);
    await admitted;
    const leaving = new AbortController();
    const left = Promise.resolve(gate.admit([request], { connection: "a" }, leaving.signal));
    leaving.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
  });

  it("is stopped for a while; then one is let through, to see whether anything has changed", async () => {
    const { make, clock: time } = scene({ warnAfter: 2, slowAfter: 2, stopAfter: 2, stopMs: 60_000 });
    expect(await times(2, make)).toEqual(["runs", "runs"]);
    const stopped = await make();
    expect(stopped).toContain("it is refused for the next 60 seconds");
    expect(stopped).toContain("tell the user that you are stuck");
    time.advanceSync(59_000);
    expect(await make()).toContain("the next 1 second.");
    time.advanceSync(1_000);
    expect(await make()).toBe("runs");
    expect(await make()).toContain("not run");
  });

  it("is one whatever the order of its arguments, and what stands in _meta of its result", async () => {
    const { make } = scene({ warnAfter: 2 });
    let n = 0;
    const result = () => ({ content: [], _meta: { at: n++ } });
    expect(await make(result(), { args: { a: 1, b: { c: 2, d: 3 } } })).toBe("runs");
    expect(await make(result(), { args: { b: { d: 3, c: 2 }, a: 1 } })).toBe("runs");
    expect(await make(result(), { args: { a: 1, b: { c: 2, d: 3 } } })).toContain("2 times");
  });

  it("is one, too, when the result is an error, and when other calls come between", async () => {
    const { make } = scene({ warnAfter: 2 });
    const failing = () => make({ code: -32_602, message: "no such file" }, { tool: "read" });
    const ping = async () => [await failing(), await make({ n: id }, { tool: "other" })][0]!;
    expect(await times(3, ping)).toEqual(["runs", "runs", expect.stringContaining('"read" 2 times')]);
  });
});

describe("no loop", () => {
  it.each([
    ["the result differs", (n: number) => [{ n }, {}]],
    ["the arguments differ", (n: number) => [undefined, { args: { n } }]],
    ["the clients differ", (n: number) => [undefined, { connection: `c${n}` }]],
    ["the tools differ", (n: number) => [undefined, { tool: `t${n}` }]],
  ] as const)("is it when %s", async (_, differently) => {
    const { make } = scene({ warnAfter: 2, slowAfter: 2, stopAfter: 2 });
    let n = 0;
    expect(await times(5, () => make(...(differently(n++) as [unknown, object])))).toEqual(Array(5).fill("runs"));
  });

  it("is it for tools that may repeat themselves", async () => {
    const { make } = scene({ warnAfter: 2, slowAfter: 2, stopAfter: 2, allow: ["poll_*"] });
    expect(await times(9, () => make(undefined, { tool: "poll_status" }))).toEqual(Array(9).fill("runs"));
  });

  it("is it after a long time, nor when an answer changes at last", async () => {
    const { make, clock: time } = scene({ warnAfter: 2, forgetMs: 1_000 });
    await times(2, make);
    time.advanceSync(1_001);
    expect(await make()).toBe("runs");
    await make();
    await make({ changed: true });
    expect(await times(2, make)).toEqual(["runs", "runs"]);
  });

  it("is looked for by default", async () => {
    const { make, gate } = scene(false);
    expect(gate.watches).toBe("nothing");
    expect(await times(20, make)).toEqual(Array(20).fill("runs"));
  });
});

describe("beside limits", () => {
  it("costs nothing to be stopped, and tells listeners", async () => {
    const { make, gate, events } = scene({ warnAfter: 2, slowAfter: 2, stopAfter: 2 }, { tools: { search: "10/h" } });
    await times(2, make);
    expect(await make()).toContain("not run");
    const [, allowed, stopped] = events;
    expect(allowed!.decision).toMatchObject({ allowed: true, remaining: 8 });
    expect(stopped!.decision).toMatchObject({ allowed: false, quota: "loop" });
    expect(stopped!.call.tool).toBe("search");
    const { limits } = await gate.explain(
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "search" } },
      { connection: "a" },
    );
    expect(limits[0]!.decision.remaining).toBe(7);
  });

  it("remembers no more calls than it may", async () => {
    const { make } = scene({ warnAfter: 2, slowAfter: 2, stopAfter: 2 });
    await times(2, make);
    for (let i = 0; i < 10_001; i++) await make(undefined, { args: { i } });
    expect(await make()).toBe("runs");
  });

  it("says what options cannot be", () => {
    expect(() => scene({ warnAfter: 1 })).toThrow("loops.warnAfter");
    expect(() => scene({ warnAfter: 9 })).toThrow("loops.slowAfter");
    expect(() => scene({ allow: [] as never })).toThrow("loops.allow");
  });
});

it("is seen behind limitFetch by an official client, in the new era, too", async () => {
  const log = newLog();
  const server = await listenWithHandler(
    () => v2Server(log),
    (fetch) => limitFetch(fetch, { loops: { warnAfter: 2, slowMs: 0 } }),
  );
  const client = await connect("v2 modern", { url: server.url });
  try {
    const echo = () => client.callTool({ name: "echo", arguments: { text: "again" } });
    await echo();
    await echo();
    const warned = await echo();
    expect(warned.isError).toBe(true);
    expect(readRefusal(warned)).toEqual({ rate_limited: false, retryAfterMs: 0, loop: 2 });
    expect(log.runs).toHaveLength(2);
    expect((await echo()).content[0].text).toBe("again");
  } finally {
    await client.close();
    await server.close();
  }
});
