import { createLimiter, memoryStore, type Store } from "sluice";
import { limitFetch, type McpDecisionEvent, type McpRateLimitOptions, type Policy, readRefusal } from "sluice/mcp";
import { describe, expect, it } from "vitest";
import { setup } from "./fake-transport.ts";

const refusals = (sent: readonly any[]) => sent.map(({ result }) => readRefusal(result));
const principal = (clientId: string, extra: object = {}) => ({ authInfo: { clientId, extra } });

describe("policies", () => {
  it("that match one call are decided together, with the other limits: all are charged, or none", () => {
    const { delivered, sent, call } = setup({
      perClient: "3/h",
      policies: [
        { name: "writes", match: { tool: "*_write" }, quota: "1/h" },
        { name: "files", match: { tool: "file_*" }, quota: "2/h" },
      ],
    });
    call(1, "file_write");
    call(2, "file_write"); // refused by writes: takes nothing from files
    call(3, "file_read");
    call(4, "file_read"); // refused by files
    call(5, "other");
    call(6, "other"); // refused by perClient
    expect(delivered.map(({ id }) => id)).toEqual([1, 3, 5]);
    expect(refusals(sent).map((data) => data?.quota)).toEqual([
      "writes.per-hour",
      "files.per-hour",
      "perclient.per-hour",
    ]);
  });

  it("refuse in words that name what is limited", () => {
    const { sent, call } = setup({
      policies: [
        { name: "search", match: { tool: "search" }, key: "everyone", quota: "1/h" },
        { name: "heavy", match: { tool: "heavy_*" }, quota: "1/h", subject: "heavy work" },
        { name: "rest", match: { tool: "*", not: { tool: ["search", "heavy_*"] } }, quota: "1/h" },
      ],
    });
    for (const [i, tool] of ["search", "heavy_a", "other"].entries()) {
      call(2 * i, tool);
      call(2 * i + 1, tool);
    }
    expect(sent.map(({ result }) => result.content[0].text.split(" This call")[0])).toEqual([
      'Rate limit reached: the tool "search" may be used 1 per hour, counted for all clients together.',
      "Rate limit reached: heavy work may be used 1 per hour, counted for each client.",
      'Rate limit reached: what the policy "rest" covers may be used 1 per hour, counted for each client.',
    ]);
  });

  it("refuse with the advice of whoever made them", () => {
    const { sent, call } = setup({
      policies: [
        { name: "a", match: { tool: "a" }, quota: "1/h", advice: "Ask ops@example.com for more." },
        { name: "b", match: { tool: "b" }, concurrency: 1, advice: "Use the nightly export instead." },
      ],
    });
    for (const [id, tool] of ["a", "a", "b", "b"].entries()) call(id, tool);
    expect(sent.map(({ result }) => result.content[0].text)).toEqual([
      expect.stringMatching(/possible again\. Ask ops@example\.com for more\.$/),
      expect.stringMatching(/this call once\. Use the nightly export instead\.$/),
    ]);
    expect(() => setup({ policies: [{ name: "a", quota: "1/h", advice: "" }] })).toThrow("its advice is a text");
  });

  it("charge the key that they name", () => {
    const { delivered, call } = setup({
      policies: [{ name: "projects", key: ["client", "argument:project"], quota: "1/h" }],
    });
    const on = (id: number, project: string, clientId: string) =>
      call(id, "build", principal(clientId), { arguments: { project } });
    on(1, "a", "ann");
    on(2, "a", "ann");
    on(3, "b", "ann");
    on(4, "a", "bob");
    call(5, "build", principal("bob"));
    call(6, "build", principal("bob")); // leaving the argument out opens one limit more, not one for each call
    expect(delivered.map(({ id }) => id)).toEqual([1, 3, 4, 5]);
  });

  it("charge what a call costs", () => {
    const { delivered, call } = setup({
      policies: [{ name: "rows", match: { tool: "query" }, cost: { argument: "limit", per: 100 }, quota: "10/h" }],
    });
    const query = (id: number, limit: unknown) => call(id, "query", undefined, { arguments: { limit } });
    query(1, 900);
    query(2, 200);
    query(3, 100);
    query(4, 1);
    expect(delivered.map(({ id }) => id)).toEqual([1, 3]);
  });

  it("hold places", () => {
    const { transport, delivered, call } = setup({ policies: [{ name: "slow", concurrency: 1 }] });
    call(1);
    call(2);
    expect(delivered.map(({ id }) => id)).toEqual([1]);
    void transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    call(3);
    expect(delivered.map(({ id }) => id)).toEqual([1, 3]);
  });
});

describe("tiers", () => {
  const policies: readonly Policy[] = [{ name: "calls", tiers: { free: "1/h", pro: "3/h", "*": "2/h" } }];

  it("come from a claim of the verified token; who has none, or an unknown one, is under *", () => {
    const { delivered, call } = setup({ policies, tier: { claim: "plan" } });
    let id = 0;
    for (const [client, plan] of [
      ["ann", "free"],
      ["bob", "pro"],
      ["cleo", "platinum"],
      ["dan", undefined],
      ["eve", 7],
    ] as const)
      for (let i = 0; i < 4; i++) call(++id, client, principal(client, { plan }));
    const passed = (client: string) => delivered.filter(({ params }) => params.name === client).length;
    expect(["ann", "bob", "cleo", "dan", "eve"].map(passed)).toEqual([1, 3, 2, 2, 2]);
  });

  it("come from a table of clients, or from a function", () => {
    const count = (tier: McpRateLimitOptions["tier"]) => {
      const { delivered, call } = setup({ policies, tier: tier!, client: () => "ann" });
      for (let i = 0; i < 4; i++) call(i);
      return delivered.length;
    };
    expect(count({ clients: { ann: "pro" } })).toBe(3);
    expect(count({ clients: { constructor: "pro" } })).toBe(2);
    expect(count((_call, client) => (client === "ann" ? "free" : undefined))).toBe(1);
  });

  it("carry over what was used, when a client moves from one to another", () => {
    let plan = "free";
    const { delivered, sent, call } = setup({ policies, tier: () => plan });
    call(1);
    call(2);
    expect(delivered).toHaveLength(1);
    plan = "pro";
    for (let i = 3; i <= 6; i++) call(i);
    expect(delivered).toHaveLength(3);
    plan = "free";
    call(7);
    expect(delivered).toHaveLength(3);
    expect(refusals(sent).at(-1)).toMatchObject({ quota: "calls.per-hour", limit: 1 });
  });

  it("may be looked up elsewhere", async () => {
    const fetch = limitFetch(async () => Response.json({}), {
      store: memoryStore(),
      client: () => "ann",
      policies,
      tier: async () => "free",
    });
    const post = async () =>
      (
        await fetch(
          new Request("http://localhost/", {
            method: "POST",
            body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "x" } }),
          }),
        )
      ).json();
    expect(readRefusal((await post()).result)).toBeUndefined();
    expect(readRefusal((await post()).result)).toMatchObject({ limit: 1 });
  });
});

describe("a policy on trial", () => {
  const policies: readonly Policy[] = [
    { name: "now", quota: "3/h" },
    { name: "next", quota: "1/h", mode: "shadow" },
  ];

  it("decides and is heard of, and never changes an answer; what others refuse is not charged", () => {
    const events: McpDecisionEvent[] = [];
    const { delivered, sent, call } = setup({ policies, onDecision: (event) => events.push(event) });
    for (let i = 1; i <= 4; i++) call(i);
    expect(delivered.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(refusals(sent).map((data) => data?.quota)).toEqual(["now.per-hour"]);
    expect(events.map(({ mode, decision }) => [mode, decision.quota, decision.allowed])).toEqual([
      ["enforce", "now.per-hour", true],
      ["shadow", "next.per-hour", true],
      ["enforce", "now.per-hour", true],
      ["shadow", "next.per-hour", false],
      ["enforce", "now.per-hour", true],
      ["shadow", "next.per-hour", false],
      ["enforce", "now.per-hour", false],
    ]);
  });

  it.each<[string, { mode?: "shadow" }, [string, boolean][]]>([
    [
      "each by itself, beside limits in force",
      {},
      [
        ["narrow", true],
        ["wide", true],
        ["narrow", false],
        ["wide", true],
        ["narrow", false],
        ["wide", false],
      ],
    ],
    [
      "together, where none is in force: what one refuses, the others are not charged",
      { mode: "shadow" },
      [
        ["narrow", true],
        ["narrow", false],
        ["narrow", false],
      ],
    ],
  ])("several are tried %s", (_, options, said) => {
    const heard: [string, boolean][] = [];
    const { delivered, call } = setup({
      ...options,
      policies: [
        { name: "narrow", quota: "1/h", mode: "shadow" },
        { name: "wide", quota: "2/h", mode: "shadow" },
      ],
      onDecision: ({ decision: { quota, allowed } }) => heard.push([quota.replace(".per-hour", ""), allowed]),
    });
    for (let i = 1; i <= 3; i++) call(i);
    expect(delivered).toHaveLength(3);
    expect(heard).toEqual(said);
  });

  it("has a state of its own: enforced later, it begins anew", () => {
    const trial = setup({ policies: [{ name: "calls", quota: "1/h", mode: "shadow" }] });
    trial.call(1);
    const { delivered, call } = setup({ store: trial.store, policies: [{ name: "calls", quota: "1/h" }] });
    call(1);
    call(2);
    expect(delivered).toHaveLength(1);
  });

  it("gives its places back when calls end", () => {
    const allowed: boolean[] = [];
    const { transport, call } = setup({
      policies: [{ name: "slow", concurrency: 1, mode: "shadow" }],
      onDecision: ({ decision }) => allowed.push(decision.allowed),
    });
    call(1);
    call(2);
    void transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    void transport.send({ jsonrpc: "2.0", id: 2, result: {} });
    call(3);
    expect(allowed).toEqual([true, false, true]);
  });

  it("is asked beside calls over a store that takes its time, and its failures are nobody's", async () => {
    const heard = Promise.withResolvers<McpDecisionEvent>();
    const memory = memoryStore();
    const real: Store = {
      take: async (demands, options) => memory.take(demands, options),
      forget: async (accounts) => memory.forget(accounts),
    };
    const run = async (store: Store) => {
      const fetch = limitFetch(async () => Response.json({ served: true }), {
        store,
        client: () => "ann",
        policies,
        onDecision: (event) => event.mode === "shadow" && heard.resolve(event),
      });
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "x" } });
      return (await fetch(new Request("http://localhost/", { method: "POST", body }))).json();
    };
    const failing: Store = {
      ...real,
      take: (demands, options) =>
        demands.some(({ ledger }) => ledger.space.includes("shadow"))
          ? Promise.reject(new Error("on purpose"))
          : real.take(demands, options),
    };
    expect(await run(failing)).toEqual({ served: true });
    expect(await run(real)).toEqual({ served: true });
    expect((await heard.promise).decision).toMatchObject({ allowed: true, quota: "next.per-hour" });
  });
});

describe("what cannot be a policy", () => {
  it.each<[unknown, string]>([
    [{}, "Policy 1: its name begins with a lower-case letter"],
    [{ name: "A" }, 'The policy "A": its name begins with'],
    [{ name: "a" }, 'The policy "a": it limits nothing: give it a quota, tiers or concurrency.'],
    [{ name: "a", quota: "1/h", qouta: 1 }, 'The policy "a": it has no field "qouta": it knows name, match'],
    [{ name: "a", quota: "1/fortnight" }, 'The policy "a": "1/fortnight" has the unknown period'],
    [{ name: "a", quota: "1/h", mode: "dry" }, 'its mode is "enforce" or "shadow", but it is "dry"'],
    [{ name: "a", tiers: { free: "1/h" } }, 'tiers needs quotas for "*"'],
    [{ name: "a", quota: "1/h", match: { tols: "x" } }, 'The policy "a": match has no field "tols"'],
    [{ name: "a", quota: "1/h", key: "session" }, "A session is no key by itself"],
    [null, "Policy 1: it is null, not an object."],
  ])("%j", (policy, message) => {
    expect(() => setup({ policies: [policy as Policy] })).toThrow(message);
  });

  it("two of one name, or no list", () => {
    const one: Policy = { name: "a", quota: "1/h" };
    expect(() => setup({ policies: [one, one] })).toThrow('The policy "a": there are two of that name.');
    expect(() => setup({ policies: one as never })).toThrow("policies is a list");
    expect(() => setup({ policies: [], tier: "free" as never })).toThrow('tier is { claim: "plan" }');
  });
});

it("keeps its state apart from a limiter's of the same name", () => {
  const { store, delivered, call } = setup({ name: "a", policies: [{ name: "a", quota: "1/h" }], client: () => "me" });
  createLimiter({ name: "a", quota: "1/h", store }).consume("me");
  call(1);
  expect(delivered).toHaveLength(1);
});
