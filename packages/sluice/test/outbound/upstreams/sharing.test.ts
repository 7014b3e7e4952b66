import { memoryStore } from "sluice";
import { createUpstreams } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { errorOf, numbered, world } from "./world.ts";

const failing = () => Promise.reject(new Error("down"));

describe("createUpstreams called again with the same store", () => {
  it("shares the line: first come, first served over all of them", async () => {
    const { clock, make, call, names } = world("1/s");
    const all = numbered(3, () => make().api);
    for (let i = 0; i < 6; i++) void call(`${i}`, {}, 0, all[i % 3]!);
    await clock.advance(10_000);
    expect(names()).toBe("0 1 2 3 4 5");
  });

  it("shares limits, pauses and the breaker", async () => {
    const { make, api } = world({ limit: "5/s", concurrency: 1, retry: false, breaker: { minimumCalls: 4 } });
    const other = make().api;
    void api.run(() => new Promise(() => {}));
    expect(other.stats()).toMatchObject({ running: 1 });
    const { api: third } = createUpstreams(
      { api: { limit: "5/s", retry: false, breaker: { minimumCalls: 4 } } },
      { store: memoryStore() },
    );
    expect(third.stats()).toMatchObject({ running: 0 });
    const one = world({ retry: false, breaker: { minimumCalls: 4 } });
    for (let i = 0; i < 4; i++) await errorOf((i % 2 ? one.api : one.make().api).run(failing));
    expect(await errorOf(one.make().api.run(() => 0))).toMatchObject({ reason: "breaker-open" });
    const two = world({ retry: false });
    await two.api.run(() => new Response(null, { status: 429, headers: { "retry-after": "5" } }));
    expect(two.make().api.stats()).toMatchObject({ pausedForMs: 5_000 });
  });

  it("other options of the same name count in the same windows", async () => {
    const { make, api, call, times } = world("2/s");
    void call("a");
    void call("b", {}, 0, make({ limit: "2/s", concurrency: 7 }).api);
    expect(times()).toEqual([0, 0]);
    expect(await errorOf(api.run(() => 0, { maxWaitMs: 0 }))).toMatchObject({ retryAfterMs: 1_000 });
  });

  it("shares coalesced calls: a server that is made anew for each request asks once", async () => {
    const { make, clock, later } = world({ coalesceMs: 1_000 });
    let asked = 0;
    const ask = () => {
      asked++;
      return later(100, asked);
    };
    const [a, b] = [make(), make()];
    const both = Promise.all([a.api.run(ask, { key: "k" }), b.api.run(ask, { key: "k" })]);
    await clock.advance(100);
    expect(await both).toEqual([1, 1]);
    expect(await make().api.run(ask, { key: "k" })).toBe(1);
  });

  it("who joined the call of another that is closed before its end gets an answer of his own", async () => {
    const { make, clock, later } = world({});
    const [a, b] = [make(), make()];
    const mine = errorOf(a.api.run(({ signal }) => later(100, "first", signal), { key: "k" }));
    const joined = b.api.run(({ signal }) => later(100, "second", signal), { key: "k" });
    await clock.advance(50);
    await a.close();
    await clock.advance(100);
    expect(await mine).toMatchObject({ reason: "closed" });
    expect(await joined).toBe("second");
  });

  it("closing and making it again forgets nothing: windows, calls counted to their end, pauses, the breaker", async () => {
    const fresh = async (
      options: Parameters<typeof world>[0],
      use: (api: ReturnType<typeof world>["api"]) => Promise<unknown>,
    ) => {
      const one = world(options);
      await use(one.api);
      await one.upstreams.close();
      return { ...one, again: one.make().api };
    };
    const window = await fresh("1/s", (api) => api.run(() => 0));
    expect(window.again.stats().startsInMs).toBe(1_000);
    const end = await fresh({ limit: "1/s", anchor: "end" }, (api) => api.run(() => 0));
    expect(await errorOf(end.again.run(() => 0, { maxWaitMs: 0 }))).toMatchObject({ retryAfterMs: 1_000 });
    const pause = await fresh({ retry: false }, (api) =>
      api.run(() => new Response(null, { status: 429, headers: { "retry-after": "5" } })),
    );
    expect(pause.again.stats().pausedForMs).toBe(5_000);
    const broken = await fresh({ retry: false, breaker: { minimumCalls: 1 } }, (api) => errorOf(api.run(failing)));
    expect(broken.again.stats().breaker).toMatchObject({ state: "open" });
  });

  it("of very many that nobody uses any more, those are kept of which calls that run or count are known", async () => {
    const store = memoryStore({ clock: manualClock() });
    const make = (name: string) =>
      createUpstreams(
        { [name]: { limit: "1/s", anchor: "end", retry: false, breaker: { minimumCalls: 1 } } },
        { store },
      );
    const used = make("used");
    await errorOf(used.used!.run(failing));
    await used.close();
    const idle = createUpstreams({ idle: { retry: false, breaker: { minimumCalls: 1 } } }, { store });
    await errorOf(idle.idle.run(failing));
    await idle.close();
    for (let i = 0; i < 150; i++) await make(`other${i}`).close();
    expect(make("used").used!.stats().breaker).toMatchObject({ state: "open" });
    const again = createUpstreams({ idle: { retry: false, breaker: { minimumCalls: 1 } } }, { store });
    expect(again.idle.stats().breaker).toMatchObject({ state: "closed" });
  });

  it("a call that goes on although it was closed keeps its place", async () => {
    const { api, upstreams, make, clock } = world({ concurrency: 1 });
    void api.run(() => new Promise((resolve) => clock.after(1_000, () => resolve(0))));
    await upstreams.close();
    const again = make().api;
    const made = again.run(() => clock.elapsed());
    expect(again.stats()).toMatchObject({ running: 1, waiting: 1 });
    await clock.advance(1_000);
    expect(await made).toBe(1_000_000 + 1_000_000);
  });

  it("other stores are other worlds, and without one there is one for the process", async () => {
    const clock = manualClock();
    const apis = numbered(2, () => createUpstreams({ api: "1/s" }, { store: memoryStore({ clock }) }).api);
    await Promise.all(apis.map((api) => api.run(() => 0, { maxWaitMs: 0 })));
    const [a, b] = [createUpstreams({ "of-the-process": "1/h" }), createUpstreams({ "of-the-process": "1/h" })];
    await a["of-the-process"].run(() => 0);
    expect(await errorOf(b["of-the-process"].run(() => 0))).toMatchObject({ reason: "deadline" });
  });
});
