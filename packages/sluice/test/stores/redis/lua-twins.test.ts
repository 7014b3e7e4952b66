import { Redis } from "ioredis";
import {
  type Algorithm,
  concurrency,
  type Demand,
  decide,
  fixedWindow,
  type Ledger,
  Mode,
  type State,
  slidingWindow,
  type Taken,
  tokenBucket,
} from "sluice";
import { manualClock } from "sluice/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { block } from "../../../src/algorithms/block.ts";
import { ledger } from "../../../src/limiter/store.ts";
import { type Batches, batches } from "../../../src/stores/redis/batches.ts";
import { connection } from "../../../src/stores/redis/connection.ts";
import { decisions } from "../../../src/stores/redis/decisions.ts";
import { keyNames } from "../../../src/stores/redis/key-names.ts";
import { Ask } from "../../../src/stores/redis/script.ts";
import { seeded } from "../../algorithms/subjects.ts";
import { type RedisServer, startRedis } from "./server.ts";

/** Steps per algorithm: keys in one call, calls in a life, lives. Everything in a life has numbers of its own. */
const KEYS = 50;
const ROUNDS = 50;
const LIVES = 40;
const SEED = Number(process.env.FUZZ_SEED ?? 1);

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url, { autoResendUnfulfilledCommands: false });
});

afterAll(async () => {
  client.disconnect();
  await server.stop();
});

type Below = (end: number) => number;
const pick = <T>(below: Below, list: readonly T[]): T => list[below(list.length)]!;
/** From 1 to `most`: as often below 10 as between 10 and 100. */
const upTo = (below: Below, most: number) => Math.floor(most ** (below(2 ** 30) / 2 ** 30));

const MOST = Number.MAX_SAFE_INTEGER;
const aLimit = (below: Below) => pick(below, [1, 2, 5, 40, 1 + below(300), upTo(below, 1e6), upTo(below, MOST), MOST]);
const aPeriod = (below: Below) =>
  pick(below, [0.001, 1, 1_000, 60_000, 86_400_000, 30 * 86_400_000, upTo(below, 2 ** 51) / 1000, 2 ** 51 / 1000]);

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

const ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Antarctica/Troll", "Asia/Kathmandu"];
const UNITS = ["hour", "day", "week", "month"] as const;
/** `Intl` is slow to set up: calendars are shared. */
const calendars = ZONES.flatMap((timeZone) =>
  UNITS.flatMap((calendar) => [1, 7, 1000].map((limit) => fixedWindow({ limit, calendar, timeZone }))),
);

const makers: Readonly<Record<string, (below: Below) => Algorithm>> = {
  "token bucket": (below) => {
    for (;;) {
      const limit = aLimit(below);
      const periodMs = aPeriod(below);
      const burst = below(2) === 0 ? limit : aLimit(below);
      const period = Math.round(periodMs * 1000);
      if (burst * (period / gcd(limit, period)) <= 2 ** 51) return tokenBucket({ limit, periodMs, burst });
    }
  },
  "sliding window": (below) =>
    slidingWindow({ limit: aLimit(below), periodMs: aPeriod(below), granules: pick(below, [1, 3, 10, 100, 400]) }),
  "fixed window": (below) => fixedWindow({ limit: aLimit(below), periodMs: aPeriod(below) }),
  "window of the calendar": (below) => pick(below, calendars),
  concurrency: (below) => concurrency({ limit: pick(below, [1, 3, 10, upTo(below, MOST)]), leaseMs: aPeriod(below) }),
  block: () => block,
};

it.each(Object.entries(makers))(
  "decides in Lua as in TypeScript: %s",
  async (name, make) => {
    const random = seeded(SEED);
    const below: Below = (end) => Math.floor(random() * end);
    let steps = 0;
    for (let life = 0; life < LIVES; life++) steps += await live(below, make, `${name.replaceAll(" ", "-")}${life}:`);
    expect(steps).toBeGreaterThanOrEqual(KEYS * ROUNDS * LIVES);
  },
  120_000,
);

/** One key: what the original says its state is, and receipts that were given for it. */
interface Subject {
  readonly ledger: Ledger;
  readonly other: Ledger;
  readonly key: string;
  state: State | undefined;
  receipts: number[];
}

async function live(below: Below, make: (below: Below) => Algorithm, prefix: string): Promise<number> {
  const clock = manualClock({ wall: new Date(Date.UTC(2020 + below(15), below(12), 1 + below(28), below(24))) });
  const calls = batches({
    connection: connection(client, false),
    names: keyNames({ prefix }),
    timeoutMs: 60_000,
    clock,
  });
  const { take } = decisions(calls);
  const subjects = Array.from({ length: KEYS }, (_, i): Subject => {
    const made = make(below);
    const carries = made.carrying !== undefined && below(4) === 0;
    const own = ledger("fuzz", made, carries ? "carry" : "fresh");
    const other = carries ? ledger("fuzz", make(below), "carry") : own;
    const isSameSpace = other.space === own.space;
    return { ledger: own, other: isSameSpace ? other : own, key: `k${i}`, state: undefined, receipts: [] };
  });
  const compared: Promise<void>[] = [];
  let steps = 0;
  for (let round = 0; round < ROUNDS; round++) {
    clock.stepWall(aJump(below));
    const now = clock.wall();
    for (const subject of subjects) {
      const demands = someDemands(below, subject, subjects);
      const mode = pick(below, [Mode.take, Mode.take, Mode.take, Mode.force]);
      steps += demands.length;
      compared.push(compare(take(demands, mode), expected(demands, mode, subjects, now), demands, mode, now));
    }
    if (round % 8 === 7) compared.push(...subjects.map((subject) => compareStates(calls, subject, now)));
    // By then the calls of this turn have gone out, with the time of this turn.
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(compared.splice(0));
  }
  return steps;
}

/** In milliseconds: mostly forward, now and then back, from nothing to years. */
function aJump(below: Below): number {
  const size = pick(below, [0, 0, 0.001, upTo(below, 1e4) / 1000, upTo(below, 1e9) / 1000, upTo(below, 1e13) / 1000]);
  const isBack = below(5) === 0;
  return isBack ? -Math.min(size, 4e10) : Math.min(size, 4e10);
}

function someDemands(below: Below, subject: Subject, all: readonly Subject[]): readonly Demand[] {
  const demands = [aDemand(below, subject)];
  if (below(5) === 0) {
    const other = pick(below, all);
    // One account has one algorithm in a decision.
    demands.push(
      other === subject ? { ...aDemand(below, subject), ledger: demands[0]!.ledger } : aDemand(below, other),
    );
  }
  return demands;
}

function aDemand(below: Below, { ledger: own, other, key, receipts }: Subject): Demand {
  const account = { ledger: pick(below, [own, other]), key };
  const { capacity, name } = account.ledger.algorithm;
  const most = Math.min(MOST, Math.max(1, capacity));
  const some = pick(below, [1, 1, 1, 2, upTo(below, most), Math.ceil(most / 3), most, 0, upTo(below, MOST), MOST]);
  const cost = below(4) === 0 ? -some : some;
  if (name === "concurrency") return { ...account, cost, receipt: below(6) };
  if (cost > 0 && below(5) === 0) return { ...account, cost, least: 1 + below(Math.min(cost, 2 ** 40)) };
  if (receipts.length === 0 || below(2) === 0) return { ...account, cost };
  return { ...account, cost, receipt: Math.max(0, pick(below, receipts) + pick(below, [0, 0, 0, 1, -1, 5_000_000])) };
}

/** What the original says; its states go on from there. A state that became as good as new is forgotten, as in Redis. */
function expected(demands: readonly Demand[], mode: Mode, subjects: readonly Subject[], now: number): readonly Taken[] {
  const owners = demands.map(({ key }) => subjects.find((subject) => subject.key === key)!);
  const given = owners.map(({ state }) => state);
  const steps = decide(demands, given, { elapsed: now, wall: now }, { mode });
  for (const [i, { state, receipt }] of steps.entries()) {
    const owner = owners[i]!;
    const isChanged = `${state}` !== `${given[i] ?? ""}`;
    if (isChanged) owner.state = isNew(demands[i]!.ledger, state, now) ? undefined : state;
    owner.receipts = [receipt, ...owner.receipts.slice(0, 4)];
  }
  return steps.map(({ state: _, ...taken }) => taken);
}

function isNew({ algorithm }: Ledger, state: State, now: number): boolean {
  if (algorithm.carries && algorithm.name === "token-bucket") return state[0] === 0;
  return algorithm.isFresh([...state], 0, now);
}

async function compare(
  answer: Promise<readonly Taken[]>,
  wanted: readonly Taken[],
  demands: readonly Demand[],
  mode: Mode,
  now: number,
): Promise<void> {
  const found = await answer;
  // Comparing texts first is faster, and there are many.
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    const said = demands.map(({ ledger: { space }, ...demand }) => ({ space, ...demand }));
    expect({ found, said, mode, now }).toEqual({ found: wanted, said, mode, now });
  }
}

async function compareStates(calls: Batches, subject: Subject, now: number): Promise<void> {
  const wanted = asRemembered(subject.ledger, subject.state, now);
  const found = await calls.ask(Ask.read, [subject], (reply) =>
    Array.from({ length: reply.next() }, () => reply.next()),
  );
  expect({ space: subject.ledger.space, found }).toEqual({ space: subject.ledger.space, found: wanted });
}

/** The cells that mean something: none of a state that is as good as new, and of a log those from its head on. */
function asRemembered(account: Ledger, state: State | undefined, now: number): State {
  const { algorithm } = account;
  if (state === undefined || state.length === 0) return [];
  if (algorithm.name !== "sliding-window") return isNew(account, state, now) ? [] : state;
  const [head, sum] = state as readonly [number, number];
  if (head >= state.length || (!algorithm.carries && isNew(account, state, now))) return [];
  return [2, sum, ...state.slice(head)];
}
