import { memoryStore } from "sluice";
import { createUpstreams, type DispatchController, type DispatchHandler, limitHosts } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { expect, it, vi } from "vitest";

/** A controller of a request that is made, as undici has it. */
class RealController implements DispatchController {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders = ["name", "value"];
  rawTrailers = ["last", "value"];
  abort(reason: Error) {
    this.aborted = true;
    this.reason = reason;
  }
  pause() {
    this.paused = true;
  }
  resume() {
    this.paused = false;
  }
}

/** A request to an upstream with one place, and what the dispatcher was handed for it. */
async function start() {
  const clock = manualClock();
  const { fake } = createUpstreams({ fake: { concurrency: 1 } }, { store: memoryStore({ clock }) });
  let free = () => {};
  const busy = fake.run(() => new Promise<void>((resolve) => (free = resolve)));
  const inner: DispatchHandler[] = [];
  const dispatch = vi.fn((_: unknown, handler: DispatchHandler) => inner.push(handler) > 0);
  let held!: DispatchController;
  const heard: string[] = [];
  const note =
    (what: string) =>
    (...args: unknown[]) =>
      void heard.push([what, ...args.filter((arg) => arg !== held)].join(" "));
  const handler = {
    onRequestStart(controller: DispatchController) {
      held = controller;
    },
    onRequestUpgrade: note("upgrade"),
    onResponseStart: note("start"),
    onResponseData: note("data"),
    onResponseEnd: note("end"),
    onResponseError: note("error"),
    onResponseStarted: note("started"),
    onBodySent: note("body"),
    onRequestSent: note("sent"),
  };
  const upstreams = { fake, close: fake.close };
  const isGoing = limitHosts(upstreams, { "api.example": "fake" })(dispatch)(
    { origin: "https://api.example", path: "/", method: "GET" },
    handler,
  );
  const turn = async () => {
    free();
    await busy;
    await vi.waitUntil(() => dispatch.mock.calls.length === 1);
  };
  return { clock, fake, isGoing, held, heard, inner, dispatch, turn };
}

it("has a controller at once, and what is done to that is done to the request when it is made", async () => {
  const { held, isGoing, inner, turn } = await start();
  expect(isGoing).toBe(true);
  expect([held.aborted, held.paused, held.reason, held.rawHeaders]).toEqual([false, false, null, undefined]);
  held.pause();
  expect(held.paused).toBe(true);
  await turn();
  const real = new RealController();
  inner[0]!.onRequestStart!(real, {});
  expect(real.paused).toBe(true);
  held.resume();
  expect([real.paused, held.paused]).toEqual([false, false]);
  held.pause();
  expect(real.paused).toBe(true);
  expect([held.rawHeaders, held.rawTrailers]).toEqual([real.rawHeaders, real.rawTrailers]);
  held.abort(new Error("enough"));
  expect(real.reason?.message).toBe("enough");
});

it("is aborted when it is made, if it was aborted after its turn had come", async () => {
  const { held, heard, inner, turn } = await start();
  await turn();
  held.abort(new Error("enough"));
  held.abort(new Error("again"));
  expect([held.aborted, held.reason?.message, heard]).toEqual([true, "enough", []]);
  const real = new RealController();
  inner[0]!.onRequestStart!(real, {});
  expect(real.reason?.message).toBe("enough");
});

it("shows an abort that came from within", async () => {
  const { held, inner, turn } = await start();
  await turn();
  const real = new RealController();
  inner[0]!.onRequestStart!(real, {});
  real.abort(new Error("lost"));
  expect([held.aborted, held.reason?.message]).toEqual([true, "lost"]);
});

it("hears everything once, with its own controller", async () => {
  const { fake, heard, inner, turn } = await start();
  await turn();
  const real = new RealController();
  const [made] = inner as [Required<DispatchHandler>];
  made.onRequestStart(real, {});
  made.onBodySent("chunk");
  made.onRequestSent();
  made.onResponseStarted();
  made.onResponseStart(real, 103, {}, "Early Hints");
  made.onResponseStart(real, 200, {}, "OK");
  made.onResponseData(real, "chunk");
  expect(fake.stats().running).toBe(1);
  made.onResponseEnd(real, {});
  await vi.waitUntil(() => fake.stats().running === 0);
  expect(heard).toEqual([
    "body chunk",
    "sent",
    "started",
    "start 103 [object Object] Early Hints",
    "start 200 [object Object] OK",
    "data chunk",
    "end [object Object]",
  ]);
});

it("ends with an upgrade", async () => {
  const { fake, heard, inner, turn } = await start();
  await turn();
  inner[0]!.onRequestUpgrade!(new RealController(), 101, {}, "socket");
  await vi.waitUntil(() => fake.stats().running === 0);
  expect(heard).toEqual(["upgrade 101 [object Object] socket"]);
});

it("hears of an error once", async () => {
  const { fake, heard, inner, turn } = await start();
  await turn();
  inner[0]!.onResponseError!(new RealController(), new Error("lost"));
  await vi.waitUntil(() => fake.stats().running === 0);
  await new Promise(setImmediate);
  expect(heard).toEqual(["error Error: lost"]);
});

it("heeds a refusal of the upstream whose body broke", async () => {
  const { fake, heard, inner, turn } = await start();
  await turn();
  const real = new RealController();
  inner[0]!.onResponseStart!(real, 429, { "retry-after": "30" }, "Too Many Requests");
  inner[0]!.onResponseError!(real, new Error("lost"));
  await vi.waitUntil(() => fake.stats().running === 0);
  expect(fake.stats().pausedForMs).toBe(30_000);
  expect(heard.at(-1)).toBe("error Error: lost");
});

it("hears of what the dispatcher throws, and holds nothing", async () => {
  const { fake, heard, dispatch, turn } = await start();
  dispatch.mockImplementation(() => {
    throw new Error("invalid");
  });
  await turn();
  await vi.waitUntil(() => fake.stats().running === 0);
  expect(heard).toEqual(["error Error: invalid"]);
});
