import { createLimiter, fallback, localShare, memoryStore, perHour, perMinute, type Store } from "sluice";
import { manualClock } from "sluice/testing";
import { parseDictionary, parseList } from "structured-headers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { faultyStore } from "../../stores/faulty-store.ts";
import { hosts, type Running, type Scenario } from "./hosts.ts";

const running: Running[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(running.splice(0).map((one) => one.close()));
});

/** The items of a List of a Structured Field, in plain values. */
const listOf = (field: string | null) =>
  parseList(field!).map(([name, parameters]) => [name, Object.fromEntries(parameters)]);

const MINUTE = { name: "per-minute", limit: 2 };

describe.each(hosts)("$name", ({ start }) => {
  let clock: ReturnType<typeof manualClock>;
  let store: ReturnType<typeof memoryStore>;
  beforeEach(() => {
    clock = manualClock();
    store = memoryStore({ clock });
  });

  async function serve(scenario: Scenario) {
    const server = await start(scenario);
    running.push(server);
    return { ...server, get: (headers: Record<string, string> = {}) => fetch(server.url, { headers }) };
  }

  it("tells an allowed request what is left", async () => {
    const { get } = await serve({ quota: perMinute(2), store });
    const answer = await get();
    expect(await answer.text()).toBe("ok");
    expect(answer.status).toBe(200);
    expect(listOf(answer.headers.get("ratelimit"))).toEqual([[MINUTE.name, { r: 1, t: 60 }]]);
    expect(listOf(answer.headers.get("ratelimit-policy"))).toEqual([[MINUTE.name, { q: 2, w: 60 }]]);
    expect(answer.headers.get("x-ratelimit-limit")).toBe("2");
    expect(answer.headers.get("x-ratelimit-remaining")).toBe("1");
    expect(answer.headers.get("x-ratelimit-reset")).toBe("60");
    expect(answer.headers.has("retry-after")).toBe(false);
  });

  it("refuses with a problem document until the time that it names, and refusals are free", async () => {
    const { get } = await serve({ quota: perMinute(2), store });
    await get();
    clock.advanceSync(19_500);
    await get();
    for (let i = 0; i < 3; i++) {
      const answer = await get();
      expect(answer.status).toBe(429);
      expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json(; charset=utf-8)?$/);
      expect(answer.headers.get("retry-after")).toBe("41");
      expect(listOf(answer.headers.get("ratelimit"))).toEqual([[MINUTE.name, { r: 0, t: 41 }]]);
      expect(answer.headers.get("x-ratelimit-reset")).toBe("41");
      expect(await answer.json()).toEqual({
        type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
        title: "Quota Exceeded",
        status: 429,
        detail: 'The quota "per-minute" (2 per minute) is used up. Retry after 41 seconds.',
        "violated-policies": ["per-minute"],
        retry_after_ms: 40_500,
        quota: "per-minute",
        limit: 2,
        remaining: 0,
      });
    }
    clock.advanceSync(40_500);
    expect((await get()).status).toBe(200);
  });

  it("takes the client from X-Forwarded-For of a trusted proxy, and nothing that a client wrote there", async () => {
    const { get } = await serve({ quota: "1/min", store, trustProxy: ["127.0.0.1"] });
    const status = async (forwarded: string) => (await get({ "x-forwarded-for": forwarded })).status;
    expect(await status("203.0.113.1")).toBe(200);
    expect(await status("203.0.113.1")).toBe(429);
    expect(await status("6.6.6.6, 203.0.113.1")).toBe(429);
    expect(await status("203.0.113.2, 127.0.0.1")).toBe(200);
    expect(await status("203.0.113.2")).toBe(429);
    expect(await status("2001:db8:0:aa01::1")).toBe(200);
    expect(await status("[2001:db8:0:aaff::2]:443")).toBe(429);
    expect(await status("2001:db8:0:ab00::1")).toBe(200);
  });

  it("takes the client from Forwarded by option", async () => {
    const { get } = await serve({ quota: "1/min", store, trustProxy: 1, forwardedHeader: "forwarded" });
    expect((await get({ forwarded: "for=6.6.6.6, for=203.0.113.1;proto=https" })).status).toBe(200);
    expect((await get({ forwarded: 'for=", for=7.7.7.7, for="203.0.113.1:80"' })).status).toBe(429);
  });

  it("does not believe X-Forwarded-For of anybody else, and warns once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { get } = await serve({ quota: "2/min", store });
    const statuses = [];
    for (const i of [1, 2, 3]) statuses.push((await get({ "x-forwarded-for": `203.0.113.${i}` })).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toContain("trustProxy");
  });

  it("hands an address that cannot be told to the host as an error, with the way to fix it", async () => {
    const { get, errors } = await serve({ quota: "2/min", store, trustProxy: 1 });
    expect((await get({ "x-forwarded-for": "unknown" })).status).toBe(500);
    expect(errors).toMatchObject([{ code: "CLIENT_ADDRESS_UNKNOWN", message: expect.stringContaining("key") }]);
  });

  it("masks an address that the options give", async () => {
    const { get } = await serve({ quota: "1/min", store, address: (header) => header("x-client") });
    expect((await get({ "x-client": "2001:db8::1" })).status).toBe(200);
    expect((await get({ "x-client": "2001:db8::2" })).status).toBe(429);
  });

  it.each([
    ["at once", <T>(value: T) => value],
    ["later", async <T>(value: T) => value],
  ])("asks for key, cost and skip, which are known %s", async (_when, given) => {
    const heard: unknown[] = [];
    const { get } = await serve({
      quota: "5/min",
      store,
      key: (header) => given(header("x-user")),
      cost: (header) => given(Number(header("x-cost") ?? 1)) as number,
      skip: (header) => given(header("x-skip") === "yes") as boolean,
      onDecision: ({ key, cost }) => heard.push([key, cost]),
    });
    const remaining = async (headers: Record<string, string>) => {
      const answer = await get(headers);
      return [answer.status, answer.headers.get("x-ratelimit-remaining")];
    };
    expect(await remaining({ "x-user": "a", "x-cost": "3" })).toEqual([200, "2"]);
    expect(await remaining({ "x-user": "a", "x-cost": "3" })).toEqual([429, "2"]);
    expect(await remaining({ "x-user": "a", "x-cost": "2" })).toEqual([200, "0"]);
    expect(await remaining({ "x-user": "b" })).toEqual([200, "4"]);
    expect(await remaining({ "x-user": "a", "x-skip": "yes" })).toEqual([200, null]);
    expect(await remaining({})).toEqual([200, null]);
    const never = await get({ "x-user": "c", "x-cost": "6" });
    expect([never.status, never.headers.has("retry-after")]).toEqual([429, false]);
    expect(await never.json()).toMatchObject({ retry_after_ms: null, remaining: 5 });
    expect(heard).toEqual([
      ["a", 3],
      ["a", 3],
      ["a", 2],
      ["b", 1],
      ["c", 6],
    ]);
  });

  it("gives the key function the address to fall back on", async () => {
    const keys: string[] = [];
    const key: Scenario["key"] = (header, address) => header("x-user") ?? address();
    const { get } = await serve({ quota: "1/min", store, key, onDecision: (event) => keys.push(event.key) });
    await get({ "x-user": "u" });
    await get();
    expect(keys).toEqual(["u", "address:9:127.0.0.1"]);
  });

  it("sends a custom answer, with the header fields all the same", async () => {
    const { get } = await serve({ quota: "1/min", store, custom: true });
    await get();
    const answer = await get();
    expect(await answer.text()).toBe("come back later");
    expect(answer.status).toBe(429);
    expect(answer.headers.get("retry-after")).toBe("60");
    expect(listOf(answer.headers.get("ratelimit"))).toEqual([["per-minute", { r: 0, t: 60 }]]);
  });

  it("decides several quotas together, and lists all of them", async () => {
    const { get } = await serve({ quota: [perMinute(1), perHour(2)], store });
    const first = await get();
    expect(listOf(first.headers.get("ratelimit"))).toEqual([
      ["per-minute", { r: 0, t: 60 }],
      ["per-hour", { r: 1, t: 3600 }],
    ]);
    expect(listOf(first.headers.get("ratelimit-policy"))).toEqual([
      ["per-minute", { q: 1, w: 60 }],
      ["per-hour", { q: 2, w: 3600 }],
    ]);
    const second = await get();
    expect(await second.json()).toMatchObject({ "violated-policies": ["per-minute"], quota: "per-minute" });
    expect(listOf(second.headers.get("ratelimit"))).toEqual([
      ["per-minute", { r: 0, t: 60 }],
      ["per-hour", { r: 1, t: 3600 }],
    ]);
    clock.advanceSync(60_000);
    expect((await get()).status).toBe(200);
    clock.advanceSync(60_000);
    const third = await get();
    expect(await third.json()).toMatchObject({ "violated-policies": ["per-hour"] });
    expect(third.headers.get("retry-after")).toBe("3480");
  });

  it("speaks draft 7, draft 6, or no draft at all", async () => {
    const seven = await (await serve({ quota: "2/min", store, headers: "draft-7", legacyHeaders: false })).get();
    expect(Object.fromEntries(parseDictionary(seven.headers.get("ratelimit")!))).toEqual({
      limit: [2, new Map()],
      remaining: [1, new Map()],
      reset: [60, new Map()],
    });
    expect(listOf(seven.headers.get("ratelimit-policy"))).toEqual([[2, { w: 60 }]]);
    expect(seven.headers.has("x-ratelimit-limit")).toBe(false);
    const six = await (await serve({ quota: "2/min", store, headers: "draft-6" })).get();
    expect(["limit", "remaining", "reset", "policy"].map((end) => six.headers.get(`ratelimit-${end}`))).toEqual([
      "2",
      "0",
      "60",
      "2;w=60",
    ]);
    const none = await (await serve({ quota: "2/min", store, headers: false, legacyHeaders: false })).get();
    expect(none.status).toBe(429);
    expect([...none.headers.keys()].filter((name) => name.includes("ratelimit"))).toEqual([]);
    expect(none.headers.get("retry-after")).toBe("60");
  });

  it("hands an error of the store to the host: an outage is never a 429", async () => {
    const failing: Store = { take: () => Promise.reject(new Error("store is gone")), forget: async () => {} };
    const { get, errors } = await serve({ quota: "2/min", store: failing });
    expect((await get()).status).toBe(500);
    expect(errors).toMatchObject([{ message: "store is gone" }]);
    const sync = await serve({
      quota: "2/min",
      store: {
        ...failing,
        take: () => {
          throw new Error("broken");
        },
      },
    });
    expect((await sync.get()).status).toBe(500);
    expect(sync.errors).toMatchObject([{ message: "broken" }]);
  });

  it("answers 503 when a store that is out of order had to refuse", async () => {
    const closed: Store = {
      take: async (demands) =>
        demands.map(() => ({
          allowed: false,
          remaining: 0,
          retryAfter: 5e6,
          resetAfter: 5e6,
          receipt: 0,
          degraded: true,
        })),
      forget: async () => {},
    };
    const { get } = await serve({ quota: "2/min", store: closed });
    const answer = await get();
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(answer.headers.has("ratelimit")).toBe(false);
    expect(await answer.json()).toMatchObject({
      type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
      status: 503,
    });
  });

  it("answers for a store that is dead as its fallback says, and then as ever", async () => {
    const faulty = faultyStore(clock);
    faulty.health = "down";
    const closed = await serve({ quota: ["2/min", "9/h"], store: fallback(faulty, "closed") });
    const refused = await closed.get();
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect([...refused.headers.keys()].filter((name) => name.includes("ratelimit"))).toEqual([]);
    expect(await refused.json()).toMatchObject({ status: 503, retry_after_ms: 1000 });
    const open = await serve({ quota: "2/min", store: fallback(faulty, "open") });
    const allowed = await open.get();
    expect(allowed.status).toBe(200);
    expect([...allowed.headers.keys()].filter((name) => name.includes("ratelimit"))).toEqual([]);
    const shared = await serve({ quota: "2/min", store: fallback(faulty, localShare(2)) });
    expect([(await shared.get()).status, (await shared.get()).status]).toEqual([200, 503]);
    faulty.health = "up";
    expect((await closed.get()).headers.get("x-ratelimit-remaining")).toBe("1");
    expect([...closed.errors, ...open.errors, ...shared.errors]).toEqual([]);
  });

  it("shares a limiter, and shows a block", async () => {
    const limiter = createLimiter({ quota: "5/min", store });
    const { get } = await serve({ limiter });
    limiter.block("address:9:127.0.0.1", 90_000);
    const answer = await get();
    expect(answer.status).toBe(429);
    expect(listOf(answer.headers.get("ratelimit"))).toEqual([["block", { r: 0, t: 90 }]]);
    expect(listOf(answer.headers.get("ratelimit-policy"))).toEqual([
      ["per-minute", { q: 5, w: 60 }],
      ["block", { q: 0 }],
    ]);
    limiter.reset("address:9:127.0.0.1");
    expect((await get()).headers.get("x-ratelimit-remaining")).toBe("4");
  });

  it("allows exactly 10 of 100 requests at once", async () => {
    const { get } = await serve({ quota: "10/min", store, key: async () => "everybody" });
    const answers = await Promise.all(Array.from({ length: 100 }, () => get()));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
  });
});
