import { memoryStore } from "sluice";
import { createMcpGate, type McpCallEvent, type McpRateLimitOptions } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, describe, expect, it, vi } from "vitest";

afterEach(() => vi.restoreAllMocks());

let id = 0;
const request = (method = "tools/call", name = "search") =>
  ({ jsonrpc: "2.0", id: ++id, method, params: { name } }) as const;
const ann = { connection: "ann" };

function scene(options: McpRateLimitOptions) {
  const clock = manualClock();
  const heard: unknown[] = [];
  const gate = createMcpGate({
    store: memoryStore({ clock }),
    onCall: ({ call: { method, tool }, client, tier }: McpCallEvent) => {
      heard.push(["came", tool ?? method, client, tier]);
      return {
        decided: ({ allowed, waitedMs, decisions }) => heard.push([allowed, waitedMs, decisions.length]),
        ended: ({ outcome, durationMs, result }) => heard.push([outcome, durationMs, result]),
      };
    },
    ...options,
  });
  return { clock, gate, heard };
}

describe("onCall", () => {
  it("tells of a call when it comes, when it is decided and when it has ended", async () => {
    const { clock, gate, heard } = scene({ perClient: "1/min", tier: () => "free" });
    const first = request();
    await gate.admit([first], ann);
    await clock.advance(30);
    gate.sawAnswer(first, ann, { content: [] });
    await gate.admit([request()], ann);
    expect(heard).toEqual([
      ["came", "search", "ann", "free"],
      [true, 0, 1],
      ["result", 30, { content: [] }],
      ["came", "search", "ann", "free"],
      [false, 0, 1],
    ]);
  });

  it("tells of calls without limits, of those that wait, and of those without an answer", async () => {
    const { clock, gate, heard } = scene({ tools: { search: "1/s" }, wait: true });
    const other = request("tools/call", "other");
    await gate.admit([other], ann);
    gate.sawFailure(other);
    await gate.admit([request()], ann);
    const waiting = gate.admit([request()], ann);
    await clock.advance(1000);
    await waiting;
    expect(heard).toEqual([
      ["came", "other", "ann", undefined],
      [true, 0, 0],
      ["no_answer", 0, undefined],
      ["came", "search", "ann", undefined],
      [true, 0, 1],
      ["came", "search", "ann", undefined],
      [true, 1000, 1],
    ]);
  });

  it("tells of calls that end unseen, once", async () => {
    const { clock, gate, heard } = scene({ perClient: "9/min" });
    const admission = await gate.admit([request()], ann);
    await clock.advance(7);
    admission.finish();
    admission.undo();
    expect(heard.slice(2)).toEqual([["unseen", 7, undefined]]);
  });

  it("says nothing of what is never refused", async () => {
    const { gate, heard } = scene({ perClient: "1/min" });
    await gate.admit([request("ping")], ann);
    expect(heard).toEqual([]);
  });

  it("waits for nobody: a client that is found later is told of later, and the call goes on", async () => {
    const { gate, heard } = scene({ perClient: "1/min", client: async () => "later" });
    await gate.admit([request()], {});
    await new Promise(setImmediate);
    expect(heard).toEqual([
      ["came", "search", "later", undefined],
      [true, 0, 1],
    ]);
  });

  it("is not in the way when it throws, nor when its followers do", async () => {
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    const fail = () => {
      throw new Error("no");
    };
    const one = scene({ perClient: "5/min", onCall: fail });
    expect(await one.gate.admit([request()], ann)).not.toHaveProperty("refusal");
    const other = scene({ perClient: "5/min", onCall: () => ({ decided: fail, ended: fail }) });
    const call = request();
    expect(await other.gate.admit([call], ann)).not.toHaveProperty("refusal");
    other.gate.sawAnswer(call, ann, {});
    expect(errors.mock.calls.map(([text]) => text)).toEqual([
      expect.stringContaining("onCall threw"),
      expect.stringContaining("a follower of onCall threw"),
    ]);
  });
});
