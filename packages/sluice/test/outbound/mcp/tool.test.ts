import { memoryStore } from "sluice";
import { RATE_LIMIT_META, readRefusal } from "sluice/mcp";
import { createUpstreams } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connect } from "../../inbound/mcp/clients.ts";
import { servings } from "./servings.ts";

const cleanup: (() => unknown)[] = [];
beforeEach(() => {
  for (const level of ["warn", "info", "log", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
});
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
  vi.restoreAllMocks();
});

const until = (isSo: () => boolean) => vi.waitUntil(isSo, { timeout: 10_000, interval: 5 });

describe.each(servings)("$server, client $kind", ({ serve, kind, hearsCancels }) => {
  async function start(limit: string) {
    const clock = manualClock();
    const upstreams = createUpstreams({ fake: limit }, { store: memoryStore({ clock }) });
    const target = await serve(upstreams, { clock });
    cleanup.push(() => target.close());
    const client = await connect(kind, target);
    cleanup.push(() => client.close());
    const call = (name: string, options?: object) => {
      const params = { name, arguments: name === "ask" ? { id: "1" } : {} };
      return kind === "v1" ? client.callTool(params, undefined, options) : client.callTool(params, options);
    };
    return { clock, fake: upstreams.fake, call };
  }

  it("tells how a call waits: at once, then now and then, and nothing when it does not", async () => {
    const { clock, fake, call } = await start("1/10s");
    const told: { progress: number; total?: number; message?: string }[] = [];
    const onprogress = (progress: (typeof told)[number]) => told.push(progress);
    await call("ask", { onprogress });
    expect(told).toEqual([]);
    const waiting = call("ask", { onprogress });
    await until(() => told.length === 1);
    expect(told[0]).toMatchObject({
      progress: 0,
      total: 10,
      message: "Waiting for fake: position 1, starts in about 10 s",
    });
    await clock.advance(3_000);
    await until(() => told.length === 2);
    expect(told[1]).toMatchObject({
      progress: 3,
      total: 10,
      message: "Waiting for fake: position 1, starts in about 7 s",
    });
    await clock.advance(7_000);
    expect((await waiting).content).toEqual([{ type: "text", text: "answer 1" }]);
    expect(fake.stats()).toMatchObject({ started: 2, waiting: 0 });
  });

  it("leaves the queue when the client cancels the request, if the server hears of it", async () => {
    const { clock, fake, call } = await start("1/10s");
    await call("ask");
    const leaving = new AbortController();
    const left = call("ask", { signal: leaving.signal }).catch(() => "left");
    await until(() => fake.stats().waiting === 1);
    leaving.abort();
    expect(await left).toBe("left");
    if (hearsCancels) await until(() => fake.stats().waiting === 0);
    await clock.advance(10_000);
    expect(fake.stats()).toMatchObject({ started: hearsCancels ? 1 : 2, waiting: 0 });
  });

  it("answers a refusal with a result that a model can act on", async () => {
    const { call } = await start("1/min");
    await call("ask");
    const refused = await call("ask");
    expect(refused.isError).toBe(true);
    expect(refused.structuredContent).toBeUndefined();
    expect(refused.content[0].text).toBe(
      'Rate limit reached: this tool needs the API "fake", which allows only so many calls, and they are used up. It was not called, because its turn would have come too late. Wait 15 seconds, then repeat this call once. Calls before then will be refused as well.',
    );
    const data = { rate_limited: true, retryAfterMs: 15_000, upstream: "fake", reason: "deadline", position: 0 };
    expect(refused._meta[RATE_LIMIT_META]).toEqual(data);
    expect(readRefusal(refused)).toEqual(data);
  });

  it("leaves other errors alone", async () => {
    const { call } = await start("1/min");
    const failed = await call("fail");
    expect(failed).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("no luck") }] });
    expect(readRefusal(failed)).toBeUndefined();
  });
});
