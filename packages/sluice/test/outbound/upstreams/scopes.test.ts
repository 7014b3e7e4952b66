import { describe, expect, it } from "vitest";
import { errorOf, world } from "./world.ts";

describe("sub-window keys", () => {
  it("per tenant: each has a limit of its own, and nobody is held up by that of another", async () => {
    const { clock, call, started } = world({ limit: { rate: "1/s", per: "tenant" } });
    for (let i = 0; i < 3; i++) void call("a", { tenant: "a" });
    for (let i = 0; i < 2; i++) void call("b", { tenant: "b" });
    void call("nobody");
    await clock.advance(3_000);
    const at = (name: string) => started.filter((one) => one.name === name).map((one) => one.at);
    expect([at("a"), at("b"), at("nobody")]).toEqual([[0, 1_000, 2_000], [0, 1_000], [0]]);
  });

  it("per endpoint: tenants share it, and other endpoints do not", async () => {
    const { clock, call, started } = world({ limit: { rate: "1/s", per: "endpoint" } });
    void call("search a", { endpoint: "search", tenant: "a" });
    void call("search b", { endpoint: "search", tenant: "b" });
    void call("list a", { endpoint: "list", tenant: "a" });
    await clock.advance(3_000);
    expect(started.map(({ name, at }) => `${name} ${at}`)).toEqual(["search a 0", "list a 0", "search b 1000"]);
  });

  it("names of tenants are theirs alone, long and strange ones too", async () => {
    const { call, times } = world({ limit: { rate: "1/s", per: "tenant" } });
    for (const tenant of ["a", "a~b", "-", "~", "=a", "é", "x".repeat(200), "x".repeat(201), " "])
      void call("one", { tenant });
    void call("nobody");
    expect(times()).toHaveLength(10);
  });

  it("a tenant that waits for the limit of all does not hold up those who do not need to wait as long", async () => {
    const { clock, call, started } = world({ limit: ["2/s", { rate: "1/min", per: "tenant" }] });
    void call("a", { tenant: "a" });
    void call("b", { tenant: "b" });
    void call("a again", { tenant: "a", maxWaitMs: Infinity });
    void call("c", { tenant: "c" });
    await clock.advance(1_000);
    expect(started.map(({ name, at }) => `${name} ${at}`)).toEqual(["a 0", "b 0", "c 1000"]);
    await clock.advance(60_000);
    expect(started.at(-1)).toEqual({ name: "a again", at: 60_000 });
  });

  it("a pause for all does not become one for as long as the longest of the limits of tenants", async () => {
    const { clock, call, api, started } = world({
      limit: [{ rate: "1/min", per: "tenant", anchor: "end" }],
      retry: false,
    });
    void call("a", { tenant: "a" }, 50_000);
    await api.run(() => new Response(null, { status: 503, headers: { "retry-after": "2" } }), { tenant: "z" });
    void call("a again", { tenant: "a", maxWaitMs: Infinity });
    void call("b", { tenant: "b" });
    await clock.advance(3_000);
    expect(started.map(({ name, at }) => `${name} ${at}`)).toEqual(["a 0", "b 2000"]);
  });

  it("a full queue of one tenant does not turn away another who need not wait", async () => {
    const { call, api, started } = world({ limit: { rate: "1/min", per: "tenant" }, maxQueue: 2, maxWaitMs: Infinity });
    for (let i = 0; i < 3; i++) void call("a", { tenant: "a" });
    void call("b", { tenant: "b" });
    expect(started.map(({ name }) => name)).toEqual(["a", "b"]);
    for (const tenant of ["a", "b"]) {
      expect(await errorOf(api.run(() => 0, { tenant }))).toMatchObject({ reason: "queue-full", position: 2 });
    }
    expect(api.stats().waiting).toBe(2);
  });

  it("units that a tenant gets back are there for his next call at once", async () => {
    const { clock, api, call, later, started } = world({ limit: ["100/s", { rate: "10/min", per: "tenant" }] });
    void api.run(
      async ({ report }) => {
        await later(100, 0);
        report({ cost: 4 });
      },
      { tenant: "a", cost: 10 },
    );
    void call("next", { tenant: "a", cost: 3, maxWaitMs: Infinity });
    await clock.advance(200);
    expect(started).toEqual([{ name: "next", at: 100 }]);
  });

  it("a tenant whose large call leaves the line waits no longer than the next one needs", async () => {
    const { clock, call, started, ended } = world({
      limit: ["100/s", { rate: "10/min", per: "tenant" }],
      maxWaitMs: Infinity,
    });
    const leaver = new AbortController();
    void call("first", { tenant: "a", cost: 5 });
    void call("large", { tenant: "a", cost: 10, signal: leaver.signal });
    void call("small", { tenant: "a", cost: 5 });
    await clock.advance(100);
    leaver.abort();
    await clock.advance(0);
    expect(started.at(-1)).toEqual({ name: "small", at: 100 });
    expect(ended).toContain("large cancelled 100");
  });

  it("a more urgent call that is smaller does not wait for what the larger one waits for", async () => {
    const { call, started } = world({ limit: ["100/s", { rate: "10/min", per: "tenant" }], maxWaitMs: Infinity });
    void call("first", { tenant: "a", cost: 5 });
    void call("large", { tenant: "a", cost: 10 });
    void call("urgent", { tenant: "a", cost: 5, priority: "high" });
    expect(started.at(-1)).toEqual({ name: "urgent", at: 0 });
  });

  it("tenants that have gone leave nothing behind", async () => {
    const { clock, api, store } = world({ limit: ["100/s", { rate: "5/s", per: "tenant", anchor: "end" }] });
    for (let i = 0; i < 300; i++) void api.run(() => 0, { tenant: `t${i}` });
    await clock.advance(10_000);
    expect(api.stats()).toMatchObject({ started: 300, waiting: 0, running: 0 });
    expect(store.stats().keys).toBe(1);
  });
});
