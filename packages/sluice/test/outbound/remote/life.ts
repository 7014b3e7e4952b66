import { createUpstreams, type UpstreamOptions } from "sluice/outbound";
import type { Clock } from "../../../src/limiter/clock.ts";
import { seeded } from "../../algorithms/seeded.ts";
import { type Machine, world } from "../../stores/leased/world.ts";
import { sharedModel, type Wire } from "./shared-model.ts";

/** What happens in a life. Times are milliseconds, chances are from 0 to 1. */
export interface Plan {
  readonly config: UpstreamOptions;
  readonly hasQueue?: boolean;
  readonly processes: number;
  readonly seconds: number;
  /** Calls per process: at once in the beginning, and then per second until the last third. */
  readonly burst: number;
  readonly rate: number;
  readonly costs?: readonly number[];
  readonly tenants?: readonly string[];
  readonly lastMs: number;
  /** One way of a message, and of one that is late. */
  readonly wayMs: number;
  readonly lateMs: number;
  /** Chance of each message. */
  readonly late?: number;
  readonly lost?: number;
  readonly twice?: number;
  /** Events per process and second. */
  readonly kills?: number;
  readonly stalls?: number;
  readonly longestStallMs?: number;
  readonly leaves?: number;
  readonly outages?: number;
  /** Events per second. */
  readonly losses?: number;
}

/** A call in a life; times are the true ones, in milliseconds. */
export interface Fate {
  readonly cost: number;
  readonly tenant: string | undefined;
  started: number | undefined;
  /** When it arrived at the server: between its start and its end. */
  arrived: number | undefined;
  ended: number | undefined;
  /** Its process was killed, or its caller left. */
  isGone: boolean;
  times: number;
}

export interface Life {
  readonly fates: readonly Fate[];
  /** When the store lost everything. */
  readonly losses: readonly number[];
  readonly seen: ReadonlySet<string>;
  readonly takes: number;
  /** Tickets that are left in the end. */
  readonly tickets: number;
}

const MS = 1000;
const STEP = 50 * MS;
/** A message that is not answered by then has failed. */
const TIMEOUT = 300 * MS;

interface Process {
  readonly machine: Machine;
  isDown: boolean;
  readonly fates: Fate[];
  readonly leave: (() => void)[];
  call(): void;
}

/** Upstreams in several processes over one store, in virtual time. */
export async function live(plan: Plan, seed: number): Promise<Life> {
  const random = seeded(seed);
  const { at, now, machine: newMachine, runUntil, stir } = world(random);
  const model = sharedModel(now);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const fates: Fate[] = [];
  const losses: number[] = [];
  const seen = new Set<string>();
  const happens = (what: string, chance = 0): boolean => {
    const does = random() < chance;
    if (does) seen.add(what);
    return does;
  };
  const way = () => (happens("late", plan.late) ? plan.lateMs : plan.wayMs) * MS * random();

  function wireOf(machine: Machine, state: { isDown: boolean }): Wire {
    const tell = (time: number, act: () => void) =>
      at(time, () =>
        machine.run(() => {
          stir();
          act();
        }),
      );
    return {
      ask: (act) =>
        new Promise((resolve, reject) => {
          const fail = () => tell(now() + TIMEOUT, () => reject(new Error("timed out")));
          if (state.isDown || happens("lost", plan.lost)) return fail();
          at(now() + way(), () => {
            const answer = act();
            if (state.isDown || happens("lost", plan.lost)) return fail();
            tell(now() + way(), () => resolve(answer));
          });
        }),
      push(deliver) {
        if (state.isDown || happens("lost", plan.lost)) return;
        tell(now() + way(), deliver);
        if (happens("twice", plan.twice)) tell(now() + 3 * way(), deliver);
      },
    };
  }

  function bear(): Process {
    const machine = newMachine(1);
    const clock: Clock = {
      ...machine.clock,
      after: (ms, callback) =>
        machine.clock.after(ms, () => {
          stir();
          callback();
        }),
    };
    const process: Process = { machine, isDown: false, fates: [], leave: [], call };
    const store = model.connect({ wire: wireOf(machine, process), clock, hasQueue: plan.hasQueue ?? true });
    const { api } = createUpstreams({ api: { maxWaitMs: Infinity, maxQueue: Infinity, ...plan.config } }, { store });

    function call(): void {
      const cost = pick(plan.costs ?? [1]);
      const tenant = pick(plan.tenants ?? [undefined]);
      const fate: Fate = {
        cost,
        tenant,
        started: undefined,
        arrived: undefined,
        ended: undefined,
        isGone: false,
        times: 0,
      };
      const lasts = Math.floor(random() * plan.lastMs * MS);
      const leaving = new AbortController();
      const options = { cost, ...(tenant !== undefined && { tenant }), signal: leaving.signal };
      fates.push(fate);
      process.fates.push(fate);
      process.leave.push(() => {
        if (fate.started !== undefined) return;
        fate.isGone = true;
        leaving.abort();
      });
      const made = api.run(async () => {
        fate.times++;
        fate.started = now() / MS;
        fate.arrived = (now() + random() * lasts) / MS;
        if (lasts > 0) await new Promise<void>((resolve) => clock.after(lasts / MS, resolve));
        fate.ended = now() / MS;
      }, options);
      made.catch(() => {});
    }
    return process;
  }

  const processes = Array.from({ length: plan.processes }, bear);
  const end = plan.seconds * 1000 * MS;
  const isTime = (what: string, perSecond = 0) =>
    now() < (end * 2) / 3 && happens(what, (perSecond * STEP) / (1000 * MS));

  function step(): void {
    stir();
    processes.forEach((process, i) => {
      const { machine } = process;
      if (isTime("called", plan.rate)) machine.run(process.call);
      if (process.leave.length > 0 && isTime("left", plan.leaves)) machine.run(pick(process.leave));
      if (isTime("stalled", plan.stalls)) machine.stop(Math.floor(random() * plan.longestStallMs! * MS), false);
      if (isTime("outage", plan.outages)) {
        process.isDown = true;
        at(now() + Math.floor(random() * 3_000 * MS), () => {
          process.isDown = false;
        });
      }
      if (!isTime("killed", plan.kills)) return;
      machine.kill();
      for (const fate of process.fates) if (fate.ended === undefined) fate.isGone = true;
      processes[i] = bear();
    });
    if (isTime("lost all", plan.losses)) {
      losses.push(now() / MS);
      model.loseAll();
    }
    if (now() + STEP < end) at(now() + STEP, step);
  }

  for (const process of processes) for (let i = 0; i < plan.burst; i++) process.machine.run(process.call);
  at(STEP, step);
  await runUntil(end);
  return { fates, losses, seen, takes: model.counts.takes, tickets: model.tickets().length };
}
