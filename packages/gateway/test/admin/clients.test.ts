import type { McpCall, McpDecisionEvent } from "sluice/mcp";
import { describe, expect, it } from "vitest";
import { clientTable } from "../../src/admin/clients.ts";
import { tableOf } from "../../src/cli/top.ts";

interface Given {
  readonly allowed?: boolean;
  readonly mode?: "enforce" | "shadow";
  readonly call?: McpCall;
  readonly tier?: string;
  /** What is left of each limit, in percent. */
  readonly left?: readonly number[];
}

function event(
  client: string,
  { allowed = true, mode = "enforce", tier, left = [50], call = newCall() }: Given = {},
): McpDecisionEvent {
  const decisions = left.map((remaining, i) => ({
    policy: `p${i}`,
    quota: {} as never,
    key: client,
    cost: 1,
    decision: {
      allowed,
      quota: `q${i}`,
      limit: 100,
      remaining,
      retryAfterMs: 0,
      resetAfterMs: 60_000,
      degraded: false,
    },
  }));
  return { call, client, tier, mode, decision: decisions[0]!.decision, decisions, waitedMs: 0, tookMs: 0 };
}

const newCall = (): McpCall => ({ method: "tools/call", params: {} });

describe("who calls", () => {
  it("is counted by client, with the limit of which least is left", () => {
    const table = clientTable({ now: () => 1_000 });
    table.saw(event("a", { tier: "pro", left: [80, 20, 90] }));
    table.saw(event("a", { tier: "pro", allowed: false, left: [70, 10, 90] }));
    expect(table.top(5, "calls")).toEqual([
      {
        client: "a",
        tier: "pro",
        passed: 1,
        refused: 1,
        wouldBeRefused: 0,
        lastAt: 1_000,
        lastCall: { method: "tools/call", tool: undefined },
        tightest: { policy: "p1", quota: "q1", limit: 100, remaining: 10, resetAt: 61_000 },
      },
    ]);
  });

  it("is not counted twice by limits on trial", () => {
    const table = clientTable();
    const call = newCall();
    table.saw(event("a", { call }));
    for (let i = 0; i < 2; i++) table.saw(event("a", { call, mode: "shadow", allowed: false, left: [0] }));
    table.saw(event("b", { mode: "shadow", allowed: false }));
    table.saw(event("b", { mode: "shadow" }));
    const rows = table
      .top(2, "last")
      .map(({ client, passed, refused, wouldBeRefused }) => [client, passed, refused, wouldBeRefused]);
    expect(new Set(rows)).toEqual(
      new Set([
        ["a", 1, 0, 1],
        ["b", 2, 0, 1],
      ]),
    );
  });

  it("is sorted by calls, refusals, use or the last call", () => {
    let now = 0;
    const table = clientTable({ now: () => ++now });
    for (let i = 0; i < 3; i++) table.saw(event("busy", { left: [90] }));
    for (let i = 0; i < 2; i++) table.saw(event("refused", { allowed: false, left: [40] }));
    table.saw(event("nearly", { left: [1] }));
    table.saw(event("latest", { left: [99] }));
    const first = (by: Parameters<typeof table.top>[1]) => table.top(1, by)[0]!.client;
    expect([first("calls"), first("refused"), first("used"), first("last")]).toEqual([
      "busy",
      "refused",
      "nearly",
      "latest",
    ]);
    expect(table.top(2, "calls")).toHaveLength(2);
  });

  it("forgets who has not called for longest when there are too many", () => {
    const table = clientTable({ capacity: 3 });
    for (let i = 0; i < 50; i++) {
      table.saw(event("steady"));
      table.saw(event(`new-${i}`));
    }
    expect(table.size).toBe(3);
    expect(table.top(1, "calls")[0]).toMatchObject({ client: "steady", passed: 50 });
  });
});

describe("the table for people", () => {
  const row = {
    client: "principal:3:ann",
    passed: 100,
    refused: 5,
    wouldBeRefused: 0,
    lastAt: 9_000,
    lastCall: { method: "tools/call", tool: "search" },
    tightest: { quota: "tools.search.per-minute", limit: 10, remaining: 2, resetAt: 40_000 },
  };

  it("says what is left, and leaves out what nobody has", () => {
    expect(tableOf({ now: 10_000, known: 3, clients: [row] }).split(/ {2,}|\n/)).toEqual([
      ...["CLIENT", "PASSED", "REFUSED", "LEAST LEFT", "LAST CALL"],
      ...["principal:3:ann", "100", "5", "2/10 of tools.search.per-minute, all in 30 s", "1 s ago"],
      "2 more clients.",
      "",
    ]);
  });

  it("says what was called per minute since the last time", () => {
    const before = { now: 4_000, known: 1, clients: [{ ...row, passed: 90, refused: 4 }] };
    const text = tableOf({ now: 10_000, known: 1, clients: [{ ...row, tier: "pro" }] }, before);
    expect(text).toMatch(/CLIENT +TIER +PER MIN +PASSED/);
    expect(text).toMatch(/principal:3:ann +pro +110 +100/);
  });

  it("says that all is left when it has flowed back", () => {
    const text = tableOf({ now: 50_000, known: 1, clients: [{ ...row, wouldBeRefused: 2 }] });
    expect(text).toMatch(/5 \(\+2 on trial\) +all +41 s ago/);
    expect(tableOf({ now: 1, known: 0, clients: [] })).toBe("Nobody has called yet.\n");
  });
});
