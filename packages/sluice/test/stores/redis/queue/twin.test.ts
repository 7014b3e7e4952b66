import { Redis } from "ioredis";
import { Mode } from "sluice";
import { redisStore } from "sluice/redis";
import { manualClock } from "sluice/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { demandsOf, type QueueNews, type Ticket } from "../../../../src/limiter/shared-queue.ts";
import { seeded } from "../../../algorithms/seeded.ts";
import { type RedisServer, startRedis } from "../server.ts";
import { modelQueue } from "./model-queue.ts";
import { randomRequests } from "./random-requests.ts";
import { type Below, pick, randomTerms } from "./random-terms.ts";

/** Lives of queues: each has terms of its own, some owners, and so many requests. */
const LIVES = Number(process.env.FUZZ_LIVES ?? 200);
const REQUESTS = 40;
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const AT_A_TIME = 10;

let server: RedisServer;
let client: Redis;
let hearing: Redis;
const barriers = new Map<string, () => void>();

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url, { autoResendUnfulfilledCommands: false });
  hearing = new Redis(server.url, { autoResendUnfulfilledCommands: false });
  hearing.setMaxListeners(2 * AT_A_TIME);
  await hearing.subscribe("barrier");
  hearing.on("message", (channel, message) => channel === "barrier" && barriers.get(message)?.());
});

afterAll(async () => {
  client.disconnect();
  hearing.disconnect();
  await server.stop();
});

/** All that was published before has been heard. */
function heard(life: number): Promise<void> {
  return new Promise((resolve) => {
    barriers.set(`${life}`, resolve);
    void client.publish("barrier", `${life}`);
  });
}

it("does in Redis what the definition says: replies, news for others, and accounts", async () => {
  const seen = { grants: 0, told: 0, never: 0, missing: 0, cut: 0, notes: 0, lost: 0 };
  for (let from = 0; from < LIVES; from += AT_A_TIME) {
    const lives = Array.from({ length: Math.min(AT_A_TIME, LIVES - from) }, (_, i) =>
      live(SEED * 1e6 + from + i, seen),
    );
    await Promise.all(lives);
  }
  for (const [what, count] of Object.entries(seen)) expect([what, count > LIVES / 3]).toEqual([what, true]);
}, 600_000);

async function live(seed: number, seen: Record<string, number>): Promise<void> {
  const random = seeded(seed);
  const below: Below = (end) => Math.floor(random() * end);
  const clock = manualClock({ wall: new Date(Date.UTC(2020 + below(15), below(12), 1 + below(28), below(24))) });
  clock.elapsed = clock.wall;
  const terms = randomTerms(below);
  const prefix = `q${seed}:`;
  const store = redisStore({ client, subscriber: hearing, clock, prefix, timeoutMs: 600_000 });
  const model = modelQueue(terms, clock);
  const owners = Array.from({ length: 1 + below(5) }, (_, i) => `owner-${i}`);
  const requests = randomRequests(below, terms, owners);
  let told: [owner: string, news: QueueNews][] = [];
  const seats = new Map(
    owners.map((owner) => [owner, store.queue!(terms, { owner, inform: (news) => told.push([owner, news]) })]),
  );

  for (let i = 0; i < REQUESTS; i++) {
    clock.stepWall(requests.jump() / 1000);
    if (below(25) === 0) {
      const isAll = below(2) === 0;
      const keys = await client.keys(`${prefix}*`);
      const lost = keys.filter((key) => isAll || key.includes("}queue:"));
      if (lost.length > 0) await client.del(lost);
      model.lose(isAll);
      seen.lost!++;
    }
    const owner = pick(below, owners);
    const request = requests.next(owner);
    const wanted = model.exchange(owner, request);
    told = [];
    const reply = await seats.get(owner)!.exchange(request);
    await heard(seed);
    const at = { seed, i, owner, request };
    expect({ ...at, reply, told: new Map(told) }).toEqual({ ...at, reply: wanted.reply, told: wanted.told });
    expect(told.length).toBe(wanted.told.size);
    requests.learn(owner, reply);
    for (const [whom, news] of told) requests.learn(whom, news);
    seen.grants! += reply.grants.length;
    seen.told! += told.length;
    seen.never! += reply.never.length;
    seen.missing! += reply.missing.length;
    if (reply.rate < 1) seen.cut!++;
    if (reply.note !== undefined) seen.notes!++;
    if (i % 5 === 4) await compareAccounts();
  }
  for (const seat of seats.values()) await seat.close();

  /** Others charge the same accounts; then all are looked at. */
  async function compareAccounts(): Promise<void> {
    const one: Omit<Ticket, "offset"> = { id: 1 + below(9), lane: requests.lane(), cost: 1 + below(2) };
    const demands = demandsOf(terms, one);
    const pause = { ledger: terms.pause, key: terms.name, tag: terms.name, cost: 1 };
    const mode = pick(below, [Mode.take, Mode.force]);
    const charged = [...demands, ...(mode === Mode.take ? [pause] : [])];
    const wanted = model.take(charged, mode);
    expect({ seed, taken: await store.take(charged, { mode }) }).toEqual({ seed, taken: wanted });
    const all = requests.lanes.flatMap((lane) => demandsOf(terms, { id: 3, lane, cost: 1 }));
    for (const demand of [...all, pause]) {
      const seenNow = await store.take([demand], { mode: Mode.peek });
      expect({ seed, demand, seenNow }).toEqual({ seed, demand, seenNow: model.take([demand], Mode.peek) });
    }
  }
}
