import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { memoryStore } from "sluice";
import { createUpstreams, keyOf } from "sluice/outbound";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf, world } from "./world.ts";

describe("coalescing through run", () => {
  it("concurrent equal calls make one call, take one unit, and a while after it too", async () => {
    const { clock, api, later, call } = world({ limit: "2/min", coalesceMs: 1_000 });
    let made = 0;
    const ask = () => api.run(() => later(100, ++made), { key: "price" });
    const together = Promise.all([ask(), ask(), ask()]);
    await clock.advance(100);
    expect(await together).toEqual([1, 1, 1]);
    await clock.advance(999);
    expect(await ask()).toBe(1);
    await clock.advance(2);
    void ask();
    await clock.advance(100);
    expect(made).toBe(2);
    expect(api.stats()).toMatchObject({ started: 2, coalesced: { started: 2, joined: 2, hits: 1 } });
    void call("third", { maxWaitMs: 0 });
    expect(api.stats().started).toBe(2);
  });

  it("those of another tenant, or with another key, are other calls", async () => {
    const { api } = world({ coalesceMs: 60_000 });
    let made = 0;
    const ask = (key: string, tenant?: string) =>
      api.run(() => ++made, { key, ...(tenant !== undefined && { tenant }) });
    expect(await ask("a", "x")).toBe(1);
    expect(await ask("a", "y")).toBe(2);
    expect(await ask("a")).toBe(3);
    expect(await ask(keyOf({ id: 1, of: ["a"] }), "x")).toBe(4);
    expect(await ask(keyOf({ of: ["a"], id: 1 }), "x")).toBe(4);
  });

  it("the call is aborted only when all callers have left", async () => {
    const { clock, api, later } = world({ limit: "1/min" });
    const leavers = [new AbortController(), new AbortController()];
    let signal: AbortSignal | undefined;
    const all = leavers.map((leaver) =>
      errorOf(
        api.run(
          (attempt) => {
            signal = attempt.signal;
            return later(1_000, 0, attempt.signal);
          },
          { key: "k", signal: leaver.signal },
        ),
      ),
    );
    leavers[0]!.abort("one");
    expect(await all[0]).toMatchObject({ reason: "cancelled", cause: "one" });
    expect(signal!.aborted).toBe(false);
    leavers[1]!.abort("two");
    expect(await all[1]).toMatchObject({ reason: "cancelled", cause: "two" });
    expect(signal!.aborted).toBe(true);
    await clock.advance(0);
    expect(api.stats().running).toBe(0);
  });

  it("errors go to all who wait, and are not kept", async () => {
    const { api } = world({ coalesceMs: 60_000, retry: false });
    let made = 0;
    const ask = () => api.run(() => Promise.reject(new Error(`no ${++made}`)), { key: "k" });
    expect((await Promise.all([errorOf(ask()), errorOf(ask())])).map(({ message }) => message)).toEqual([
      "no 1",
      "no 1",
    ]);
    expect((await errorOf(ask())).message).toBe("no 2");
  });

  it("one that is refused is refused for all who asked for the same", async () => {
    const { api, call } = world("1/min");
    void call("first");
    const errors = await Promise.all([1, 2].map(() => errorOf(api.run(() => 0, { key: "k", maxWaitMs: 10 }))));
    for (const error of errors) expect(error).toMatchObject({ reason: "deadline", retryAfterMs: 59_990 });
  });
});

describe("coalescing through fetch", () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    setTimeout(() => response.end(`answer ${asked}`), 20);
  });
  let url = "";
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it("one request, and a Response of his own for each", async () => {
    const { api, close } = createUpstreams({ api: { limit: "100/s", coalesceMs: 60_000 } }, { store: memoryStore() });
    const responses = await Promise.all([1, 2, 3].map(() => api.fetch(url, {}, { key: "page" })));
    responses.push(await api.fetch(url, {}, { key: "page" }));
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(Array(4).fill("answer 1"));
    expect(asked).toBe(1);
    expect((await api.fetch(url)).ok).toBe(true);
    expect(asked).toBe(2);
    await close();
  });
});
