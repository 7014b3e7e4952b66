import type * as sluice from "sluice";
import type { Decision, LeasedStats, LeasedStore, Limiter, Quota } from "sluice";
import { seeded } from "../../algorithms/subjects.ts";
import type { Admission } from "./checkers.ts";
import { type Faults, type Machine, overNetwork, type Weather, world } from "./world.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly quota: (library: typeof sluice) => Quota | readonly Quota[];
  readonly processes: number;
  readonly forMs: number;
  /** Calls per second, of all processes together. */
  readonly rate: number;
  readonly weather?: Partial<Weather>;
  /** Stops, sleeps and crashes per process and second. */
  readonly trouble?: number;
  /** Moments at which the store loses everything. */
  readonly flushesMs?: readonly number[];
  /** Moments at which every process is killed, and another starts in its place. */
  readonly deploysMs?: readonly number[];
  /** Which part of the calls each process makes, by time. @default the same for all, always */
  readonly share?: (process: number, ms: number) => number;
  readonly costs?: readonly number[];
  /** Part of the calls that reserve their units and then hand all or some of them back. */
  readonly settled?: number;
  readonly leaseMs?: number;
}

export interface Run {
  readonly admissions: readonly Admission[];
  readonly checks: number;
  readonly errors: number;
  readonly refusals: number;
  readonly storeCalls: number;
  readonly faults: Faults;
  /** Of the processes that live at the end. */
  readonly stats: readonly LeasedStats[];
  /** By crashed processes and those that live. */
  readonly stateLosses: number;
}

interface Process {
  readonly machine: Machine;
  readonly store: LeasedStore;
  readonly limiter: Limiter<"async">;
}

const CALM: Weather = { delay: 2_000, lostRequest: 0, lostReply: 0, twice: 0, late: 0 };

/** Processes that share one limit over a bad network, in virtual time: everything follows from the seed. */
export async function simulate(library: typeof sluice, options: SimulationOptions): Promise<Run> {
  const { seed, quota, processes, forMs, rate, weather, trouble = 0, flushesMs = [], leaseMs = 1000 } = options;
  const { share = () => 1 / processes, costs = [1], settled = 0, deploysMs = [] } = options;
  const random = seeded(seed);
  const here = world(random);
  const memory = () => library.memoryStore({ clock: here.trueClock });
  let store = memory();
  const shared: sluice.Store = {
    take: (...args) => store.take(...args),
    forget: (...args) => store.forget(...args),
  };
  const admissions: Admission[] = [];
  let checks = 0;
  let errors = 0;
  let refusals = 0;
  let storeCalls = 0;
  let stateLosses = 0;

  const start = (): Process => {
    const machine = here.machine(1 + (random() - 0.5) * 0.0008);
    const leasedStore = library.leased(overNetwork(shared, here, machine, { ...CALM, ...weather }), { leaseMs });
    const limiter = library.createLimiter({ quota: quota(library), store: leasedStore });
    return { machine, store: leasedStore, limiter };
  };
  const end = ({ machine, store: ended }: Process): void => {
    machine.kill();
    storeCalls += ended.stats().storeCalls;
    stateLosses += ended.stats().stateLosses;
  };
  const alive = Array.from({ length: processes }, start);

  function call(one: Process): void {
    const cost = costs[Math.floor(random() * costs.length)]!;
    const from = here.now();
    checks++;
    if (random() < settled) reserveAndSettle(one, cost, from);
    else {
      // Answers that come at once are known at once; a promise tells its moment too late for that.
      const hits = one.store.stats().hits;
      const answer = one.limiter.consume("hot", cost) as Promise<Decision>;
      const isNow = one.store.stats().hits > hits;
      void answer.then(
        ({ allowed }) => {
          if (!allowed) refusals++;
          else admissions.push({ from, to: isNow ? from : here.now(), cost });
        },
        () => errors++,
      );
      if (!isNow) here.stir();
    }
  }

  function reserveAndSettle({ limiter, machine }: Process, cost: number, from: number): void {
    here.stir();
    void limiter.reserve("hot", cost).then(
      ({ decision, commit }) => {
        if (!decision.allowed) {
          refusals++;
          return;
        }
        const actual = Math.floor(random() * (cost + 1));
        if (actual > 0) admissions.push({ from, to: here.now(), cost: actual });
        here.at(here.now() + random() * 300_000, () =>
          machine.run(() => {
            here.stir();
            void Promise.resolve(commit(actual)).catch(() => errors++);
          }),
        );
      },
      () => errors++,
    );
  }

  function arrive(index: number): void {
    const one = alive[index]!;
    if (!one.machine.isStopped) one.machine.run(() => call(one));
    const perSecond = rate * share(index, here.now() / 1000);
    const wait = perSecond === 0 ? 50_000 : (-Math.log(1 - random()) * 1_000_000) / perSecond;
    here.at(here.now() + Math.min(wait, 50_000), () => (wait > 50_000 ? arrive.skip(index) : arrive(index)));
  }
  arrive.skip = (index: number): void => {
    const perSecond = rate * share(index, here.now() / 1000);
    if (perSecond === 0) here.at(here.now() + 50_000, () => arrive.skip(index));
    else arrive(index);
  };

  function disturb(index: number): void {
    here.at(here.now() + (-Math.log(1 - random()) * 1_000_000) / trouble, () => {
      const kind = random();
      if (kind < 0.4) {
        here.faults.pause++;
        alive[index]!.machine.stop(random() * 500_000, false);
      } else if (kind < 0.7) {
        here.faults.sleep++;
        alive[index]!.machine.stop(random() * 3_000_000, true);
      } else {
        here.faults.crash++;
        end(alive[index]!);
        alive[index] = start();
      }
      disturb(index);
    });
  }

  for (let i = 0; i < processes; i++) {
    arrive(i);
    if (trouble > 0) disturb(i);
  }
  for (const ms of deploysMs) {
    here.at(ms * 1000, () => {
      here.faults.crash += processes;
      for (const [i, one] of alive.entries()) {
        end(one);
        alive[i] = start();
      }
    });
  }
  for (const ms of flushesMs) {
    here.at(ms * 1000, () => {
      here.faults.flush++;
      store = memory();
    });
  }
  await here.runUntil(forMs * 1000);
  const stats = alive.map((one) => one.store.stats());
  for (const one of alive) end(one);
  return { admissions, checks, errors, refusals, storeCalls, faults: here.faults, stats, stateLosses };
}
