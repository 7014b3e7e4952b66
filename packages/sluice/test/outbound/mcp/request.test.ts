import { memoryStore } from "sluice";
import {
  createUpstreams,
  OutboundError,
  type OutboundToolOptions,
  outboundTool,
  type UpstreamOptions,
  wrapFetch,
} from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { describe, expect, it, vi } from "vitest";

interface Notification {
  readonly method: string;
  readonly params: { readonly progress: number; readonly total?: number; readonly message: string };
}

function start(options: UpstreamOptions, toolOptions: OutboundToolOptions = {}) {
  const clock = manualClock();
  const said = vi.fn<typeof fetch>(async () => new Response("said"));
  const upstreams = createUpstreams(
    { fake: { fetch: said, ...options }, other: { limit: "1/20s" } },
    { store: memoryStore({ clock }) },
  );
  const leaving = new AbortController();
  const told: Notification["params"][] = [];
  const sendNotification = vi.fn(async ({ params }: Notification) => void told.push(params));
  /** As SDK v1 hands it to tools. */
  const context = { signal: leaving.signal, _meta: { progressToken: 0 }, sendNotification };
  type Named = typeof upstreams;
  let tool: (upstreams: Named) => unknown;
  const callback = outboundTool<Named, [], object>(upstreams, ({ upstreams }) => tool(upstreams), {
    clock,
    ...toolOptions,
  });
  /** Runs a tool, for one and the same request. */
  const run = (what: (upstreams: Named) => unknown) => {
    tool = what;
    return callback(context);
  };
  return { clock, upstreams, fake: upstreams.fake, leaving, context, told, sendNotification, run, said };
}

const reasonOf = (result: unknown) =>
  (result as { _meta?: Record<string, { reason?: string }> })._meta?.["dev.sluice/rateLimit"]?.reason;

describe("how long calls wait", () => {
  it("is at most 45 s from when the request came, whatever it did until then", async () => {
    const { clock, run } = start({ limit: "1/40s", maxWaitMs: 100_000 });
    const outcome = run(async ({ fake }) => {
      await fake.run(() => 1);
      await new Promise<void>((resolve) => clock.after(6_000, resolve));
      // 34 s to wait, and 39 s left to wait for.
      return fake.run(() => 2);
    });
    await clock.advance(40_000);
    expect(await outcome).toBe(2);
    // 40 s to wait, and 5 s left; then 2 s and none.
    expect(reasonOf(await run(({ fake }) => fake.run(() => 3)))).toBe("deadline");
    await clock.advance(38_000);
    expect(reasonOf(await run(({ fake }) => fake.run(() => 3)))).toBe("deadline");
    await clock.advance(2_000);
    expect(await run(({ fake }) => fake.run(() => 3))).toBe(3);
  });

  it("is what the tool says, or the upstream if that is less, or the call before all", async () => {
    const { run } = start({ limit: "1/40s", maxWaitMs: 20_000 }, { maxWaitMs: 60_000 });
    await run(({ fake }) => fake.run(() => 1));
    expect(reasonOf(await run(({ fake }) => fake.run(() => 2)))).toBe("deadline");
    const { clock, run: patient } = start({ limit: "1/80s" });
    await patient(({ fake }) => fake.run(() => 1));
    const waits = patient(({ fake }) => fake.run(() => 2, { maxWaitMs: 80_000 }));
    await clock.advance(80_000);
    expect(await waits).toBe(2);
  });

  it("cannot be negative", () => {
    expect(() => start({}, { maxWaitMs: -1 }).run(() => 1)).toThrow(RangeError);
    expect(() => start({}, { progressEveryMs: 0 }).run(() => 1)).toThrow(RangeError);
  });
});

describe("signals", () => {
  it("of the request and of the call both end the waiting", async () => {
    for (const who of ["request", "call"]) {
      const { fake, leaving, run } = start({ limit: "1/10s" });
      const own = new AbortController();
      await run(({ fake }) => fake.run(() => 1));
      const left = run(({ fake }) => fake.run(() => 2, { signal: own.signal }));
      expect(fake.stats().waiting).toBe(1);
      (who === "call" ? own : leaving).abort();
      expect(reasonOf(await left)).toBe("cancelled");
      expect(fake.stats().waiting).toBe(0);
    }
  });

  it("reach fetch, together with that of its init or its Request", async () => {
    const { leaving, run, said } = start({});
    const own = new AbortController();
    const seen: (AbortSignal | null | undefined)[] = [];
    said.mockImplementation((_input, init) => {
      seen.push(init?.signal);
      return new Promise(() => {});
    });
    void run(({ fake }) => fake.fetch("https://api.example/", { signal: own.signal }));
    void run(({ fake }) => fake.fetch(new Request("https://api.example/", { signal: own.signal })));
    void run(({ fake }) => fake.fetch("https://api.example/"));
    own.abort();
    expect(seen.map((signal) => signal?.aborted)).toEqual([true, true, false]);
    leaving.abort();
    expect(seen.map((signal) => signal?.aborted)).toEqual([true, true, true]);
  });
});

describe("progress", () => {
  it("always grows, over all calls and all runs of one request, and comes at most every 3 s", async () => {
    const { clock, run, told } = start({ limit: "1/10s" });
    const all = run(({ fake }) => Promise.all([1, 2, 3].map((n) => fake.run(() => n))));
    expect(told).toHaveLength(1);
    await clock.advance(20_000);
    expect(await all).toEqual([1, 2, 3]);
    const again = run(({ fake }) => fake.run(() => 4));
    await clock.advance(10_000);
    await again;
    const grown = told.map(({ progress }) => progress);
    expect(grown).toEqual([...new Set(grown)].sort((a, b) => a - b));
    expect(grown.slice(1).every((progress, i) => progress - grown[i]! >= 3)).toBe(true);
    expect(grown.length).toBeGreaterThan(7);
    expect(told.every(({ progress, total }) => total! > progress)).toBe(true);
  });

  it("is of the call that waits longest", async () => {
    const { clock, run, told } = start({ limit: "1/10s" });
    await run(({ fake, other }) => Promise.all([fake.run(() => 1), other.run(() => 1)]));
    const both = run(({ fake, other }) => Promise.all([fake.run(() => 2), other.run(() => 2)]));
    await clock.advance(20_000);
    await both;
    expect(told.map(({ message }) => message)).toEqual([
      "Waiting for fake: position 1, starts in about 10 s",
      ...[17, 14, 11, 8, 5, 2].map((s) => `Waiting for other: position 1, starts in about ${s} s`),
    ]);
    expect(told.at(-1)).toMatchObject({ progress: 18, total: 20 });
  });

  it("has no total while nobody knows when the call starts, and is told only when something changed", async () => {
    const { clock, run, told, fake } = start({ concurrency: 1 });
    let end = () => {};
    const busy = fake.run(() => new Promise<void>((resolve) => (end = resolve)));
    const waits = run(({ fake }) => fake.run(() => 1));
    await clock.advance(9_000);
    expect(told).toEqual([{ progressToken: 0, progress: 0, message: "Waiting for fake: position 1" }]);
    end();
    await busy;
    expect(await waits).toBe(1);
  });

  it("ends with the waiting and with the request, and leaves no timer", async () => {
    const { clock, run, told, fake } = start({ limit: "1/10s" });
    await fake.run(() => 1);
    let end = () => {};
    const made = run(({ fake }) => fake.run(() => new Promise<void>((resolve) => (end = resolve))));
    await clock.advance(10_000);
    const { length } = told;
    await clock.advance(12_000);
    expect(told).toHaveLength(length);
    end();
    await made;
    await fake.run(() => 1);
    // The tool does not wait for its call.
    let left: Promise<unknown> = Promise.resolve();
    await run(({ fake }) => {
      left = fake.run(() => 1);
    });
    const told2 = told.length;
    await clock.advance(10_000);
    await left;
    expect(told).toHaveLength(told2);
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });

  it("can be turned off, and is not sent to who gave no token", async () => {
    for (const quiet of ["option", "token"]) {
      const { clock, run, sendNotification, context } = start(
        { limit: "1/10s" },
        quiet === "option" ? { progressEveryMs: false } : {},
      );
      if (quiet === "token") Object.assign(context, { _meta: {} });
      await run(({ fake }) => fake.run(() => 1));
      const waits = run(({ fake }) => fake.run(() => 2));
      await clock.advance(10_000);
      expect(await waits).toBe(2);
      expect(sendNotification).not.toHaveBeenCalled();
    }
  });

  it("that cannot be sent harms nobody, and a listener of the call's own is told as well", async () => {
    for (const failure of ["throws", "rejects"]) {
      const { clock, run, context } = start({ limit: "1/10s" });
      let tries = 0;
      // No mock: mocks handle what they reject with.
      context.sendNotification = (() => {
        tries++;
        if (failure === "throws") throw new Error("closed");
        return Promise.reject(new Error("closed"));
      }) as never;
      const onQueued = vi.fn();
      await run(({ fake }) => fake.run(() => 1));
      const waits = run(({ fake }) => fake.run(() => 2, { onQueued }));
      await clock.advance(10_000);
      expect(await waits).toBe(2);
      expect(onQueued).toHaveBeenCalledTimes(1);
      expect(tries).toBeGreaterThan(1);
    }
  });

  it("needs no timer once the calls have ended, though the request goes on", async () => {
    const { clock, run, told } = start({ limit: "1/10s", breaker: false });
    const timersAfter = async (waits: boolean) => {
      let after = -1;
      let end = () => {};
      const made = run(async ({ fake }) => {
        await fake.run(() => 1);
        after = clock.pending;
        await new Promise<void>((resolve) => (end = resolve));
      });
      await clock.advance(waits ? 10_000 : 0);
      end();
      await made;
      return after;
    };
    const without = await timersAfter(false);
    const { length } = told;
    expect(await timersAfter(true)).toBe(without);
    expect(told.length).toBeGreaterThan(length);
  });
});

describe("errors", () => {
  it("of fetch that come from a refusal are refusals", async () => {
    const { run } = start({});
    const error = new OutboundError("too late", { upstream: "fake", reason: "deadline", retryAfterMs: 5_000 });
    const asked = (thrown: unknown) => run(() => Promise.reject(thrown));
    expect(reasonOf(await asked(new TypeError("fetch failed", { cause: error })))).toBe("deadline");
    const own = new Error("no price", { cause: error });
    await expect(asked(own)).rejects.toBe(own);
    await expect(asked(undefined)).rejects.toBeUndefined();
  });

  it("name upstreams that there are not", async () => {
    const { run } = start({});
    await expect(run((upstreams) => Reflect.get(upstreams, "fase"))).rejects.toThrow('There is no upstream "fase"');
  });
});

it("hands on the arguments and the rest of the context, and works without one", async () => {
  const { upstreams } = start({});
  const tool = outboundTool<typeof upstreams, [{ id: string }], { sessionId: string }>(upstreams, (...args) => args);
  const [args, context] = (await tool({ id: "1" }, { sessionId: "s" })) as never as [object, Record<string, unknown>];
  expect(args).toEqual({ id: "1" });
  expect(context.sessionId).toBe("s");
  const bare = outboundTool<typeof upstreams, [], object>(upstreams, ({ upstreams }) => upstreams.fake.run(() => 1));
  expect(await bare(undefined as never)).toBe(1);
});

it("lends its upstreams to a fetch that is limited by host", async () => {
  const { clock, run, told } = start({ limit: "1/10s" });
  const get = () =>
    run(async (upstreams) => {
      const response = await wrapFetch(upstreams, { "api.example": "fake" })("https://api.example/");
      return response.text();
    });
  expect(await get()).toBe("said");
  const second = get();
  await clock.advance(10_000);
  expect(await second).toBe("said");
  expect(told.length).toBeGreaterThan(1);
});
