import { DatabaseSync } from "node:sqlite";
import type { Demand } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { newQueue } from "../../../../src/limiter/queue-state.ts";
import type { Grant, QueueNews, QueueReply, QueueTerms, SharedQueue } from "../../../../src/limiter/shared-queue.ts";
import { seeded } from "../../../algorithms/subjects.ts";
import { modelStore } from "../../../limiter/queue/model-store.ts";
import { likeBetterSqlite, newPath, openStore } from "../files.ts";
import { placeRule, termsWith, windowRule } from "./terms.ts";

const terms = termsWith([windowRule(2, 1000)]);
const GRAIN = 2_000;
const tickets = (...ids: readonly number[]) => ids.map((id) => ({ id, lane: "~a~x", cost: 1, offset: 0 }));
const idsOf = ({ grants }: Pick<QueueReply, "grants">) => grants.map(({ id }) => id);

/** A place in a queue, and what it was told. */
function sit(store: { queue(terms: QueueTerms, seat: object): SharedQueue }, owner: string, own = terms) {
  const news: QueueNews[] = [];
  return { news, ...store.queue(own, { owner, inform: (told: QueueNews) => news.push(told) }) };
}

/** What was put into the mail has been read. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("a queue in a file", () => {
  it("does what the definition says, request by request", async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seeded(seed);
    const clock = manualClock();
    const store = openStore({ path: newPath(), clock });
    const all = termsWith([windowRule(5, 1000), { ...placeRule, per: "group" }], { pace: [[500_000, 50_000]] });
    const running: Grant[] = [];
    const told: Record<string, Grant[]> = { a: [], b: [], c: [] };
    const model = modelStore({
      terms: { ...all, grace: all.grace - GRAIN },
      elapsed: () => clock.wall() - 1_000_000_000,
      tell(owner, { grants }) {
        told[owner]!.push(...grants);
        running.push(...grants);
      },
      audit: () => {},
    });
    const seats = Object.fromEntries(["a", "b", "c"].map((owner) => [owner, sit(store, owner, all)]));
    for (let i = 1; i <= 400; i++) {
      const owner = "abc"[Math.floor(random() * 3)]!;
      const [done] = random() < 0.5 ? running.splice(0, 1) : [];
      const request = {
        ...(done && (random() < 0.5 ? { ended: [done] } : { unused: [done] })),
        ...(random() < 0.05 && { pause: 100_000 }),
        ...(random() < 0.05 && { cut: 0 }),
        ...(random() < 0.2 && { leave: [i - 1] }),
        ...(random() < 0.1 && { note: { rank: i % 7, text: `note ${i}` } }),
        enter: [{ id: i, lane: `~${i % 3}~x`, cost: 1 + (i % 2), offset: Math.floor((random() - 0.5) * 1_000_000) }],
        waiting: [i, i - 1, i - 2],
      };
      const reply = await seats[owner]!.exchange(request);
      expect(reply, `seed ${seed}`).toEqual(model.exchange(owner, request));
      await settled();
      for (const [name, { news }] of Object.entries(seats))
        expect(
          news.flatMap(({ grants }) => grants),
          `seed ${seed}`,
        ).toEqual(told[name]);
      running.push(...reply.grants);
      await clock.advance(random() * 300);
    }
    expect(Object.values(told).flat().length).toBeGreaterThan(10);
  });

  it("charges the accounts that take charges", async () => {
    const store = openStore();
    const queue = sit(store, "a");
    expect(idsOf(await queue.exchange({ enter: tickets(1) }))).toEqual([1]);
    const demand: Demand = { ledger: terms.rules[0]!.ledger, key: terms.name, cost: 1 };
    expect(await store.take([demand, { ...demand, cost: 0 }])).toMatchObject([{ allowed: true, remaining: 0 }, {}]);
    expect(idsOf(await queue.exchange({ enter: tickets(2) }))).toEqual([]);
  });

  it("is another one for whoever gives other terms", async () => {
    const store = openStore();
    await sit(store, "a").exchange({ enter: tickets(1, 2, 3) });
    expect((await sit(store, "b").exchange({})).length).toBe(1);
    expect((await sit(store, "b", { ...terms, grace: 90_000 }).exchange({})).length).toBe(0);
  });

  it("keeps all news for whoever reads late, and the bell while one of its queues is open", async () => {
    const path = newPath();
    const store = openStore({ path });
    const [a, other] = [sit(store, "a"), sit(store, "a", { ...terms, name: "other" })];
    const b = sit(openStore({ path }), "b");
    const { grants } = await b.exchange({ enter: tickets(1, 2) });
    await a.exchange({ enter: tickets(3, 4) });
    await other.exchange({});
    await other.close();
    await b.exchange({ unused: grants.slice(0, 1) });
    await expect.poll(() => a.news.flatMap(idsOf)).toEqual([3]);
    const database = new DatabaseSync(path);
    database.exec("UPDATE sluice_seats_1 SET bell = 1 WHERE CAST(owner AS TEXT) = 'a'");
    await b.exchange({ unused: grants.slice(1), note: { rank: 1, text: "one" } });
    await b.exchange({ unused: a.news.flatMap(({ grants }) => grants), note: { rank: 2, text: "two" } });
    await a.exchange({ waiting: [4] });
    expect(a.news.flatMap(idsOf)).toEqual([3, 4]);
    database.close();
  });

  it.each(["two stores over one file", "two stores over one handle", "one store", "a database in memory"])(
    "tells others in the same process: %s",
    async (kind) => {
      const path = newPath();
      const database = kind.includes("handle") ? likeBetterSqlite(path) : new DatabaseSync(":memory:");
      const open = () => openStore(kind.includes("file") ? { path } : { database });
      const store = open();
      const [a, b] = [sit(store, "a"), sit(kind === "one store" ? store : open(), "b")];
      const { grants } = await a.exchange({ enter: tickets(1, 2) });
      await b.exchange({ enter: tickets(3) });
      await a.exchange({ unused: grants.slice(0, 1) });
      await expect.poll(() => b.news.flatMap(idsOf)).toEqual([3]);
      await a.close();
      await b.close();
      database.close();
    },
  );

  it("takes back grants that nobody has read in time", async () => {
    const clock = manualClock();
    const path = newPath();
    const [stopped, other] = [openStore({ path, clock }), openStore({ path, clock })];
    const [a, b] = [sit(stopped, "a"), sit(other, "b")];
    const { grants } = await b.exchange({ enter: tickets(1, 2) });
    await a.exchange({ enter: tickets(3) });
    // It hears nothing more, as if it were stopped: its bell belongs to nobody.
    const database = new DatabaseSync(path);
    database.exec("UPDATE sluice_seats_1 SET bell = 1 WHERE CAST(owner AS TEXT) = 'a'");
    await b.exchange({ unused: grants.slice(0, 1) });
    expect((await b.exchange({ enter: tickets(4) })).grants).toEqual([]);
    await clock.advance(99);
    expect(idsOf(await b.exchange({}))).toEqual([4]);
    expect(await a.exchange({ waiting: [3] })).toMatchObject({ missing: [3], grants: [] });
    expect(a.news).toEqual([]);
    database.close();
  });

  it("gives what lies in the mail to whoever asks first, and calls nothing of it missing", async () => {
    const path = newPath();
    const [a, b] = [sit(openStore({ path }), "a"), sit(openStore({ path }), "b")];
    const { grants } = await b.exchange({ enter: tickets(1, 2) });
    await a.exchange({ enter: tickets(3) });
    const database = new DatabaseSync(path);
    database.exec("UPDATE sluice_seats_1 SET bell = 1 WHERE CAST(owner AS TEXT) = 'a'");
    await b.exchange({ unused: grants.slice(0, 1) });
    expect(await a.exchange({ waiting: [3] })).toMatchObject({ missing: [], grants: [] });
    expect(a.news.flatMap(idsOf)).toEqual([3]);
    database.close();
  });

  const damaged = JSON.stringify({ ...newQueue(), names: [], tickets: [7] });
  it.each(["", "{", "null", '{"grants":7}', '{"tickets":[],"lanes":null}', damaged])(
    "goes on when a queue or mail reads %j",
    async (text) => {
      const path = newPath();
      const [a, b] = [sit(openStore({ path }), "a"), sit(openStore({ path }), "b")];
      await a.exchange({ enter: tickets(1, 2, 3) });
      await b.exchange({ enter: tickets(4) });
      const database = new DatabaseSync(path);
      database.prepare("UPDATE sluice_seats_1 SET mail = ?").run(Buffer.from(text));
      expect((await b.exchange({ waiting: [4] })).missing).toEqual([]);
      database.prepare("UPDATE sluice_queues_1 SET state = ?").run(Buffer.from(text));
      expect(await a.exchange({ waiting: [3] })).toMatchObject({ missing: [3], length: 0 });
      database.close();
    },
  );

  it("leaves nothing behind when all have closed, and its tickets are nobody's", async () => {
    const path = newPath();
    const [a, b] = [sit(openStore({ path }), "a"), sit(openStore({ path }), "b")];
    await a.exchange({ enter: tickets(1, 2, 3) });
    await b.exchange({});
    await a.close();
    await a.close();
    await expect(a.exchange({})).rejects.toThrow("is closed");
    expect((await b.exchange({})).length).toBe(0);
    await b.close();
    const database = new DatabaseSync(path);
    expect(database.prepare("SELECT * FROM sluice_seats_1").all()).toEqual([]);
    database.close();
  });

  it("forgets queues that nobody has asked for long, when another begins", async () => {
    const clock = manualClock();
    const path = newPath();
    const store = openStore({ path, clock });
    await sit(store, "a").exchange({ enter: tickets(1, 2, 3) });
    await clock.advance(2 * 3_600_000);
    await sit(store, "b", { ...terms, name: "other" }).exchange({});
    const database = new DatabaseSync(path);
    const count = (table: string) => database.prepare(`SELECT count(*) AS count FROM ${table}`).get();
    expect([count("sluice_queues_1"), count("sluice_seats_1")]).toEqual([{ count: 1 }, { count: 1 }]);
    database.close();
  });

  it("fails as the store fails: nothing was asked then", async () => {
    const path = newPath();
    const a = sit(openStore({ path, busyTimeoutMs: 30 }), "a");
    await a.exchange({});
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    await expect(a.exchange({ enter: tickets(1) })).rejects.toMatchObject({ code: "STORE_BUSY" });
    other.exec("COMMIT");
    expect(await a.exchange({ waiting: [1] })).toMatchObject({ missing: [1], length: 0 });
    other.close();
  });
});
