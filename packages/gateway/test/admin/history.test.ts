import { memoryStore } from "sluice";
import { createMcpGate, type McpDecisionEvent, type McpRateLimitOptions } from "sluice/mcp";
import { describe, expect, it } from "vitest";
import { candidateOf } from "../../src/admin/candidate.ts";
import { histories } from "../../src/admin/live/history.ts";
import { limitsOf } from "../../src/config/limits-of.ts";
import { readConfig } from "../../src/config/read-config.ts";

const SEARCH = {
  policy: "tools.search",
  quota: "tools.search.per-minute",
  rate: "2 per minute",
  mode: "enforce",
} as const;

/** Calls of a gate, heard of by what keeps histories. */
function kept(limits: McpRateLimitOptions, options: Parameters<typeof histories>[0] = {}) {
  let at = 600_000;
  const history = histories({ now: () => at, ...options });
  const gate = createMcpGate({
    store: memoryStore(),
    ...limits,
    onDecision: (event: McpDecisionEvent) => history.saw(event),
  });
  return {
    history,
    call(client: string, args: object = {}) {
      const params = { name: "search", arguments: args };
      void gate.admit([{ jsonrpc: "2.0", id: 1, method: "tools/call", params }], { connection: client });
    },
    pass(ms: number) {
      at += ms;
    },
  };
}

describe("what was asked of a limit", () => {
  it("is known for each key and slot, refused or not", () => {
    const { history, call, pass } = kept({ tools: { search: "2/min" } });
    for (let i = 0; i < 5; i++) call("a");
    pass(10_000);
    call("b");
    call("a");
    const found = history.find(SEARCH, 10)!;
    expect(found).toMatchObject({ ...SEARCH, limit: 2, periodMs: 60_000, slotMs: 5_000, left: { keys: 0, units: 0 } });
    expect(found.keys.map(({ key, asked }) => [key, asked.slice(-3)])).toEqual([
      ["a", [5, 0, 1]],
      ["b", [0, 0, 1]],
    ]);
    expect(found.from + 119 * found.slotMs).toBe(610_000);
    expect(history.find(SEARCH, 1)).toMatchObject({ keys: [{ key: "a" }], left: { keys: 1, units: 1 } });
    expect(history.find({ ...SEARCH, mode: "shadow" }, 1)).toBeUndefined();
  });

  it("is forgotten after ten periods", () => {
    const { history, call, pass } = kept({ tools: { search: "2/min" } });
    call("a");
    pass(595_000);
    call("b");
    expect(history.find(SEARCH, 10)!.keys.map(({ key }) => key)).toEqual(["a", "b"]);
    pass(5_000);
    expect(history.find(SEARCH, 10)!.keys.map(({ key }) => key)).toEqual(["b"]);
    pass(10 * 595_000);
    expect(history.find(SEARCH, 10)!.keys).toEqual([]);
  });

  it("is counted in units, of rates alone", () => {
    const { history, call } = kept({
      tools: { search: { quota: "100/min", cost: { argument: "n" }, concurrency: 3 } },
    });
    call("a", { n: 7 });
    const rate = "100 per minute";
    expect(history.find({ ...SEARCH, rate }, 1)!.keys[0]!.asked.at(-1)).toBe(7);
    const places = { ...SEARCH, quota: "tools.search.concurrency", rate: "3 at once" };
    expect(history.find(places, 1)).toBeUndefined();
  });

  it("needs bounded memory, and those who are gone make room", () => {
    const { history, call, pass } = kept({ tools: { search: "2/min" } }, { mostKeys: 3 });
    for (let i = 0; i < 5; i++) call(`client-${i}`);
    expect(history.find(SEARCH, 10)).toMatchObject({ keys: [{}, {}, {}], left: { units: 2 } });
    pass(700_000);
    call("late");
    expect(history.find(SEARCH, 10)!.keys.map(({ key }) => key)).toEqual(["late"]);
  });
});

describe("a policy to be tried", () => {
  const of = (text: string, policy: string, limit: number, rate?: string) => {
    const config = readConfig(text, "sluice.yaml", {});
    const { limits } = createMcpGate({ ...limitsOf(config), store: memoryStore() });
    const known = limits.find((one) => one.policy === policy && (rate === undefined || one.quota.text === rate))!;
    const { name, yaml } = candidateOf(config, known, limit);
    const [tried] = readConfig(yaml, "tried", {}).policies!;
    expect([tried!.name, tried!.mode]).toEqual([name, "shadow"]);
    const { name: _, mode: __, ...rest } = tried!;
    return rest;
  };

  it("meets the same calls, with the same keys and costs", () => {
    const tools = 'tools: { search: { quota: 10/min, cost: { argument: n } }, "*": 60/min, both: [5/s, 100/h] }\n';
    expect(of(tools, "tools.search", 7)).toEqual({
      match: { tool: "search" },
      cost: { argument: "n" },
      quota: "7/min",
    });
    expect(of(tools, "tools.*", 30)).toEqual({
      match: { method: "tools/call", not: { tool: ["search", "both"] } },
      quota: "30/min",
    });
    expect(of(tools, "tools.both.2", 90)).toEqual({ match: { tool: "both" }, quota: "90/h" });
    expect(of("perClient: 20/s burst 40\n", "perClient", 30)).toEqual({ quota: "30/2s" });
    expect(of("global: 1000/day UTC\n", "global", 900)).toEqual({ key: "everyone", quota: "900/day UTC" });
    expect(of('methods: { "resources/read": 5/10s }\n', "methods.resources/read", 4)).toEqual({
      match: { method: "resources/read" },
      quota: "4/10s",
    });
    const policy =
      "policies: [{ name: p, match: { tool: x }, key: [client, tool], tiers: { pro: 9/min, '*': 3/min }, wait: 2s }]";
    expect(of(policy, "p", 5, "9 per minute")).toEqual({
      match: { tool: "x" },
      key: ["client", "tool"],
      quota: "5/min",
    });
  });

  it("has a name of its own", () => {
    const config = readConfig("perClient: 5/min\npolicies: [{ name: try-perclient-4, quota: 1/s }]", "f", {});
    const [known] = createMcpGate({ ...limitsOf(config), store: memoryStore() }).limits;
    expect(candidateOf(config, known!, 4).name).toBe("try-perclient-4-again");
    expect(() => candidateOf(config, known!, 0.5)).not.toThrow();
    expect(() => candidateOf(config, known!, Number.NaN)).toThrow(RangeError);
  });
});
