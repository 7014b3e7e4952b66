import { spawn } from "node:child_process";
import { once } from "node:events";
import { Redis } from "ioredis";
import { type Algorithm, createLimiter, fixedWindow, Mode, perPeriod, tokenBucket } from "sluice";
import { RedisKeyError, RedisStoreError, redisStore } from "sluice/redis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { ledger } from "../../../../src/limiter/store.ts";
import { type RedisServer, startRedis } from "../server.ts";
import { relay, relayTerms } from "./relay.ts";

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url, { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 });
  client.on("error", () => {});
});

afterAll(async () => {
  client.disconnect();
  await server.stop();
});

let opened = 0;
function open(options: object = {}) {
  const prefix = `f${opened++}:`;
  const store = redisStore({ client, prefix, timeoutMs: 10_000, ...options });
  onTestFinished(() => store.close());
  const keyOf = async (what: string) => (await client.keys(`${prefix}*`)).find((key) => key.includes(what))!;
  return { store, prefix, keyOf };
}
const seat = (owner = "owner-0") => ({ owner, inform() {} });
const ticket = (id: number) => ({ id, lane: "~a~x", cost: 1, offset: 0 });
const own = (algorithm: Algorithm) => ({
  ledger: ledger("own", algorithm),
  per: "queue" as const,
  unit: "cost" as const,
  isPlace: false,
  endsWithWindow: false,
});

describe("a queue in Redis", () => {
  it("is there when the script was forgotten, and asks once for each request", async () => {
    const { store } = open();
    const queue = store.queue(relayTerms(), seat());
    await queue.exchange({ enter: [ticket(1), ticket(2)] });
    await client.script("FLUSH");
    expect(await queue.exchange({ waiting: [2] })).toMatchObject({ length: 1, missing: [] });
    const calls = [vi.spyOn(client, "evalsha"), vi.spyOn(client, "eval")];
    await queue.exchange({ leave: [2] });
    expect(calls.map((call) => call.mock.calls.length)).toEqual([1, 0]);
  });

  it("begins anew when Redis does, and is heard of again", async () => {
    const { store } = open();
    const run = relay([store, store]);
    await run.handOver();
    await run.queues[0]!.exchange({ enter: [ticket(901), ticket(902)] });
    await server.restart();
    await expect.poll(() => client.status).toBe("ready");
    expect(await run.queues[0]!.exchange({ waiting: [902] })).toMatchObject({ missing: [902], length: 0 });
    await run.handOver();
  }, 40_000);

  it.each([
    ["a list", (key: string) => client.lpush(key, "somebody's")],
    ["nonsense", (key: string) => client.set(key, "nonsense")],
    ["another version", (key: string) => client.set(key, "Q2\u0001")],
    ["half of itself", async (key: string) => client.set(key, await client.getrangeBuffer(key, 0, 40))],
    ["fewer tickets than it says", async (key: string) => client.set(key, await client.getrangeBuffer(key, 0, -29))],
    ["nothing but its beginning", (key: string) => client.set(key, "Q1")],
  ])("begins anew where its key holds %s", async (_, spoil) => {
    const { store, keyOf } = open();
    const queue = store.queue(relayTerms(), seat());
    await queue.exchange({ enter: [ticket(1), ticket(2)] });
    const key = await keyOf("queue:");
    if (_ === "a list") await client.del(key);
    await spoil(key);
    const reply = await queue.exchange({ waiting: [2] });
    expect(reply).toMatchObject({ missing: [2], length: 0 });
    expect(await queue.exchange({ enter: [ticket(2)] })).toMatchObject({ length: 1, grants: [] });
  });

  it("begins anew after one failure where its tickets make no sense", async () => {
    const { store, keyOf } = open();
    const queue = store.queue(relayTerms(), seat());
    await queue.exchange({ enter: [ticket(1), ticket(2)] });
    const key = await keyOf("queue:");
    const length = await client.strlen(key);
    await client.setrange(key, length - 28, "\u0001".repeat(28));
    await expect(queue.exchange({})).rejects.toThrow(RedisStoreError);
    expect(await queue.exchange({ waiting: [2] })).toMatchObject({ missing: [2], length: 0 });
  });

  it("leaves accounts that hold something else as they are, names them, and does nothing", async () => {
    const { store, keyOf } = open();
    const bucket = own(tokenBucket({ limit: 5, periodMs: 60_000 }));
    const queue = store.queue(
      { ...relayTerms(), rules: [own(fixedWindow({ limit: 9, periodMs: 60_000 })), bucket] },
      seat(),
    );
    await queue.exchange({ enter: [ticket(1)] });
    const name = (await client.keys(`f${opened - 1}:*`)).filter((key) => !key.includes("queue:"));
    const sizes = await Promise.all(name.map((key) => client.strlen(key)));
    const key = name[sizes.indexOf(11)]!;
    for (const spoil of [() => client.set(key, "?"), () => client.del(key).then(() => client.lpush(key, "a"))]) {
      await spoil();
      const before = await client.dump(await keyOf("queue:"));
      const failure = await queue.exchange({ enter: [ticket(2)] }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(RedisKeyError);
      expect(failure).toMatchObject({ key });
      expect(await client.exists(key)).toBe(1);
      expect(await client.dump(await keyOf("queue:"))).toEqual(before);
    }
  });

  it("is another one under other terms", async () => {
    const { store } = open();
    const terms = relayTerms();
    const queue = store.queue(terms, seat());
    await queue.exchange({ enter: [ticket(1), ticket(2)] });
    const lengths = [];
    for (const other of [
      {},
      { grace: 5 },
      { interval: 6_001 },
      { rules: terms.rules.slice(1) },
      { pace: [[1, 2]] as const },
    ]) {
      lengths.push((await store.queue({ ...terms, ...other }, seat("owner-1")).exchange({})).length);
    }
    expect(lengths).toEqual([1, 0, 0, 0, 0]);
  });

  it("is kept for longer than its owners, and what was cut", async () => {
    const { store, keyOf } = open();
    const queue = store.queue({ ...relayTerms(), ownerLife: 7_200_000_000, recovery: 1_440_000_000 }, seat());
    await queue.exchange({ cut: 1 });
    expect(await client.pttl(await keyOf("queue:"))).toBeGreaterThan(14_400_000);
  });

  it("is paused for takes of the shortest kind too", async () => {
    const { store } = open();
    const quota = perPeriod(5, 60_000);
    const limiter = createLimiter({ quota, store });
    await limiter.consume("upstream");
    const terms = relayTerms();
    const queue = store.queue(terms, seat());
    await queue.exchange({ pause: 60_000_000 });
    const demands = [
      { ledger: ledger("own", quota.algorithm), key: "upstream", cost: 1 },
      { ledger: terms.pause, key: "upstream", cost: 1 },
    ];
    const [, pause] = await store.take(demands);
    expect(pause!.allowed).toBe(false);
    expect(pause!.retryAfter).toBeGreaterThan(50_000_000);
  });

  it("tells windows of the calendar by the time of Redis, whatever this machine believes", async () => {
    const { store } = open();
    const rule = own(fixedWindow({ limit: 2, calendar: "day" }));
    const { now } = Date;
    vi.spyOn(Date, "now").mockImplementation(() => now() - 40 * 86_400_000);
    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    const queue = store.queue({ ...relayTerms(), rules: [rule] }, seat());
    const { grants, now: at } = await queue.exchange({ enter: [ticket(1)] });
    expect(grants[0]!.receipts[0]! - at).toBeLessThanOrEqual(86_400_000_000);
    expect(grants[0]!.receipts[0]! % 86_400_000_000).toBe(0);
    const demand = { ledger: rule.ledger, key: "upstream", cost: 0 };
    expect((await store.take([demand], { mode: Mode.peek }))[0]!.remaining).toBe(1);
  });

  it("refuses what it cannot do, and says why", async () => {
    const { store } = open();
    const strange: Algorithm = { ...fixedWindow({ limit: 1, periodMs: 1 }), name: "strange", params: [] };
    expect(() => store.queue({ ...relayTerms(), rules: [own(strange)] }, seat())).toThrow("knows the algorithms");
    const queue = store.queue(relayTerms(), seat());
    for (const lane of ["x", "~a", "~a~b~c", "~a b~c", `~a~${"b".repeat(70)}`, "~{~}"]) {
      await expect(queue.exchange({ enter: [{ ...ticket(1), lane }] })).rejects.toThrow('is "~group~rest"');
    }
  });

  it("refuses a second client that is none", () => {
    const { store } = open({ subscriber: {} });
    expect(() => store.queue(relayTerms(), seat())).toThrow("subscriber must be a client");
  });

  it("takes notes of any text", async () => {
    const queue = open().store.queue(relayTerms(), seat());
    await queue.exchange({ note: { rank: 1.5, text: "half \ud83d of a character" } });
    expect((await queue.exchange({})).note).toEqual({ rank: 1.5, text: "half \ufffd of a character" });
  });

  it("fails in time when Redis does not answer", async () => {
    const { store } = open({ timeoutMs: 30 });
    const queue = store.queue(relayTerms(), seat());
    await queue.exchange({});
    server.pause();
    onTestFinished(() => server.resume());
    await expect(queue.exchange({ enter: [ticket(1)] })).rejects.toMatchObject({ code: "STORE_TIMEOUT" });
  });
});

it("keeps no process alive whose client is closed", async () => {
  const source = (file: string) => JSON.stringify(`${import.meta.dirname}/${file}`);
  const script = `
    import { Redis } from "ioredis";
    import { createClient } from "redis";
    import { redisStore } from ${source("../../../../src/stores/redis/redis.ts")};
    import { block } from ${source("../../../../src/algorithms/block.ts")};
    const url = ${JSON.stringify(server.url)};
    const clients = [new Redis(url, { autoResendUnfulfilledCommands: false }), await createClient({ url }).connect()];
    const terms = { name: "up", pause: { space: "pause", algorithm: block }, rules: [], grace: 1, ownerLife: 1e9, pace: [], interval: 1, recovery: 1 };
    let count = 0;
    for (const client of clients) {
      const store = redisStore({ client, prefix: "alive:" });
      store.queue(terms, { owner: "me", inform() {} });
      count++;
      while ((await counted(client)) < count) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const client of clients) client.destroy ? client.destroy() : client.disconnect();
    async function counted(client) {
      const list = String(await (client.sendCommand && client.destroy ? client.sendCommand(["CLIENT", "LIST", "TYPE", "pubsub"]) : client.call("CLIENT", "LIST", "TYPE", "pubsub")));
      return list.split("\\n").filter((line) => line !== "").length;
    }
  `;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "inherit", "inherit"],
    timeout: 15_000,
    killSignal: "SIGKILL",
  });
  expect(await once(child, "exit")).toEqual([0, null]);
}, 20_000);
