import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { errorOf, world } from "./world.ts";

describe("close", () => {
  it("refuses those who wait, tells those who run, and lets nobody in", async () => {
    const { clock, upstreams, api, call, ended, started } = world({ limit: "2/s" });
    void call("runs", {}, 5_000);
    void call("runs too", { cost: 1 }, 5_000);
    for (const cost of [2, 1]) void call("waits", { cost });
    await clock.advance(100);
    await upstreams.close();
    await clock.advance(0);
    expect(ended.filter((one) => one === "waits closed 100")).toHaveLength(2);
    expect(ended.filter((one) => one.endsWith("closed 100"))).toHaveLength(4);
    const error = await errorOf(api.run(() => 0));
    expect(error).toMatchObject({
      reason: "closed",
      message: 'The upstream "api" is closed, and makes no more calls.',
    });
    await clock.advance(10_000);
    expect(started).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it("drainMs: those who wait may start and those who run may end, and it is over when they have", async () => {
    const { clock, upstreams, call, ended, now } = world({ limit: "1/s" });
    for (let i = 0; i < 3; i++) void call(`${i}`, {}, 500);
    let closedAt = -1;
    void upstreams.close({ drainMs: 60_000 }).then(() => {
      closedAt = now();
    });
    void call("late");
    await clock.advance(10_000);
    expect(ended).toEqual(["late closed 0", "0 500", "1 1500", "2 2500"]);
    expect(closedAt).toBe(2_500);
    expect(clock.pending).toBe(0);
  });

  it("drainMs: after that time the rest is refused and aborted", async () => {
    const { clock, upstreams, call, ended } = world({ limit: "1/s" });
    void call("runs", {}, 20_000);
    for (let i = 0; i < 3; i++) void call(`${i}`);
    const closed = upstreams.close({ drainMs: 1_500 });
    await clock.advance(1_500);
    await closed;
    expect(ended).toEqual(["0 1000", "runs closed 1500", "1 closed 1500", "2 closed 1500"]);
  });

  it("a call between two attempts is not made again", async () => {
    const { clock, upstreams, api } = world({ retry: { baseMs: 10_000 } });
    const lost = Object.assign(new Error("lost"), { code: "ECONNRESET" });
    const failed = errorOf(api.run(() => Promise.reject(lost), { idempotent: true }));
    await clock.advance(0);
    await upstreams.close();
    expect(await failed).toMatchObject({ reason: "closed" });
    await clock.advance(60_000);
    expect(api.stats().started).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("one of several users closes: the calls of others go on", async () => {
    const { clock, upstreams, make, call, names } = world({ limit: "1/s" });
    const other = make();
    void call("first");
    void call("mine");
    void call("other", {}, 0, other.api);
    await upstreams.close();
    await clock.advance(2_000);
    expect(names()).toBe("first other");
  });

  it("twice is as once, and bad options are refused", async () => {
    const { upstreams, api } = world("1/s");
    await upstreams.close();
    await upstreams.close({ drainMs: 1_000 });
    await api.close();
    expect(await errorOf(world({}).api.close({ drainMs: -1 }))).toMatchObject({
      message: "drainMs must be a number of milliseconds of at least 0, but it is -1.",
    });
  });

  it("nothing keeps the process alive: neither limits that are used up, nor pauses, nor an open breaker, nor kept answers", async () => {
    const source = new URL("../../../src/", import.meta.url).href;
    const script = `
      import { createUpstreams } from "${source}outbound/index.ts";
      const { api, other } = createUpstreams({
        api: { limit: "1/day UTC", coalesceMs: 3_600_000, timeoutMs: 3_600_000 },
        other: { limit: "2/h", retry: false, breaker: { minimumCalls: 1, openMs: 60_000 } },
      });
      await api.run(() => 1, { key: "k" });
      await api.run(() => 1).catch(() => {});
      await other.run(() => { throw new Error("down"); }).catch(() => {});
      await other.run(() => 0).catch(() => {});
      console.log("done");
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 20_000,
    });
    expect(stdout).toBe("done\n");
  });
});
