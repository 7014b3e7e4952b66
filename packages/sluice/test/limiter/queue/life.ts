import { block } from "../../../src/algorithms/block.ts";
import { concurrency } from "../../../src/algorithms/concurrency.ts";
import { slidingWindow } from "../../../src/algorithms/sliding-window.ts";
import type { QueueRule, QueueTerms } from "../../../src/limiter/shared-queue.ts";
import { seeded } from "../../algorithms/subjects.ts";
import { type Machine, world } from "../../stores/leased/world.ts";
import { type Call, Client } from "./client.ts";
import { type Line, lineJudge } from "./line-judge.ts";
import { modelStore } from "./model-store.ts";

/** What happens in a life. Times are milliseconds, chances are from 0 to 1. */
export interface Plan {
  readonly owners: number;
  readonly seconds: number;
  /** So many units in a period, over all. */
  readonly limit: number;
  readonly periodMs: number;
  readonly graceMs: number;
  /** Calls at once, over all. */
  readonly places?: number;
  /** A place is lent for so long. */
  readonly placeMs?: number;
  /** A place is not free for so long after the end. */
  readonly afterEndMs?: number;
  /** Units in a period, of each group. */
  readonly groupLimit?: number;
  /** Calls at once, of each group. */
  readonly groupPlaces?: number;
  readonly lanes: readonly string[];
  readonly costs: readonly number[];
  /** Calls per second and owner; a life begins with some at once, and its last quarter has none. */
  readonly rate: number;
  readonly burst: number;
  readonly lastMs: number;
  readonly heartbeatMs: number;
  readonly ownerLifeMs: number;
  readonly offsetsMs?: readonly number[];
  /** Chance of each message. */
  readonly lost?: number;
  readonly late?: number;
  readonly twice?: number;
  /** Events per owner and second. */
  readonly kills?: number;
  readonly stalls?: number;
  readonly longestStallMs?: number;
  readonly cancels?: number;
  /** Events per second. */
  readonly lostQueues?: number;
  readonly lostAll?: number;
  readonly clockSteps?: readonly number[];
  readonly pauses?: number;
  readonly cuts?: number;
}

/** A call in a life; times are the true ones, in microseconds. */
export interface Fate {
  readonly call: Call;
  readonly owner: string;
  readonly came: number;
  started: number | undefined;
  ended: number | undefined;
  /** It was cancelled, or its process was killed. */
  gone: number | undefined;
}

export interface Life {
  readonly plan: Plan;
  readonly end: number;
  readonly fates: readonly Fate[];
  readonly line: Line;
  /** When the store lost everything, or its clock was set forward, which is the same for what it counts. */
  readonly flushes: readonly number[];
  readonly pauses: readonly (readonly [from: number, until: number])[];
  readonly exchanges: number;
  /** The longest time for which nobody asked though the next start was due, and a process that runs had a call waiting. */
  readonly longestLapse: number;
  /** What happened at all, by name: a life that saw no fault proves nothing about it. */
  readonly seen: Readonly<Record<string, number>>;
}

const MS = 1000;
const STEP = 50 * MS;

function termsOf(plan: Plan): QueueTerms {
  const { limit, periodMs, graceMs, places, placeMs = 3_000, afterEndMs, groupLimit, groupPlaces } = plan;
  const window = (space: string, units: number, per: QueueRule["per"]): QueueRule => ({
    ledger: { space, algorithm: slidingWindow({ limit: units, periodMs: periodMs + graceMs }) },
    per,
    unit: "cost",
    isPlace: false,
    endsWithWindow: false,
  });
  const held = (space: string, units: number, per: QueueRule["per"]): QueueRule => ({
    ledger: { space, algorithm: concurrency({ limit: units, leaseMs: placeMs }) },
    per,
    unit: "call",
    isPlace: true,
    ...(afterEndMs && { afterEnd: { space, algorithm: concurrency({ limit: units, leaseMs: afterEndMs }) } }),
    endsWithWindow: false,
  });
  return {
    name: "upstream",
    pause: { space: "pause", algorithm: block },
    rules: [
      window("window", limit, "queue"),
      ...(places === undefined ? [] : [held("places", places, "queue")]),
      ...(groupLimit === undefined ? [] : [window("group-window", groupLimit, "group")]),
      ...(groupPlaces === undefined ? [] : [held("group-places", groupPlaces, "group")]),
    ],
    grace: graceMs * MS,
    ownerLife: plan.ownerLifeMs * MS,
    pace: [],
    interval: Math.ceil((periodMs * MS) / limit),
    recovery: 500 * MS,
  };
}

/** The same seed, the same life. */
export async function live(plan: Plan, seed: number): Promise<Life> {
  const random = seeded(seed);
  const { at, now, machine: newMachine, runUntil } = world(random);
  const chance = (part = 0) => random() < part;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const terms = termsOf(plan);
  const line = lineJudge();
  const fates: Fate[] = [];
  const flushes: number[] = [];
  const pauses: [number, number][] = [];
  const seen: Record<string, number> = {};
  const saw = (what: string) => {
    seen[what] = (seen[what] ?? 0) + 1;
  };
  const owners = new Map<string, Owner>();
  let exchanges = 0;
  let longestLapse = 0;
  let due = Infinity;
  let born = 0;
  interface Owner {
    readonly name: string;
    readonly machine: Machine;
    readonly client: Client;
    readonly cancel: (() => void)[];
    /** It has run since. */
    awakeAt: number;
  }

  /** Carries a message: after a while, or never, or twice. */
  function carry(deliver: () => void, mayComeTwice: boolean): void {
    if (chance(plan.lost)) {
      saw("lost");
      return;
    }
    const isLate = chance(plan.late);
    if (isLate) saw("late");
    at(now() + Math.floor(100 + random() * (isLate ? 400 * MS : 2 * MS)), deliver);
    if (!mayComeTwice || !chance(plan.twice)) return;
    saw("twice");
    at(now() + Math.floor(random() * 300 * MS), deliver);
  }

  const store = modelStore({
    terms,
    elapsed: now,
    audit: line.audit,
    tell: (name, news) => {
      const owner = owners.get(name);
      if (owner !== undefined) carry(() => owner.machine.run(() => owner.client.hear(news)), true);
    },
  });

  function lapse(): void {
    for (const { owner, came, started, gone } of fates) {
      if (started !== undefined || gone !== undefined) continue;
      longestLapse = Math.max(longestLapse, now() - Math.max(due, came, owners.get(owner)!.awakeAt));
    }
  }

  function bear(): Owner {
    const name = `owner-${++born}`;
    const machine = newMachine(1);
    const started = new Map<Call, Fate>();
    const client = new Client({
      now: machine.clock.elapsed,
      after: (microseconds, action) => machine.clock.after(microseconds / 1000, action),
      random,
      heartbeat: plan.heartbeatMs * MS,
      send: (request, answered) =>
        carry(() => {
          exchanges++;
          lapse();
          const reply = store.exchange(name, request);
          due = now() + (reply.nextAfter ?? Infinity);
          carry(() => machine.run(() => answered(reply)), false);
        }, false),
      started(call) {
        const fate = fates.findLast((one) => one.call === call)!;
        started.set(call, fate);
        fate.started = now();
      },
      finished(call) {
        started.get(call)!.ended = now();
      },
    });
    const owner = { name, machine, client, cancel: [], awakeAt: 0 };
    owners.set(name, owner);
    return owner;
  }

  function come({ name, machine, client, cancel }: Owner): void {
    const call: Call = {
      lane: pick(plan.lanes),
      cost: pick(plan.costs),
      offset: pick(plan.offsetsMs ?? [0]) * MS,
      lasts: Math.ceil(random() * plan.lastMs * MS),
    };
    machine.run(() => {
      const fate: Fate = { call, owner: name, came: now(), started: undefined, ended: undefined, gone: undefined };
      fates.push(fate);
      const leave = client.run(call);
      cancel.push(() => {
        if (fate.started !== undefined || fate.gone !== undefined) return;
        saw("cancelled");
        fate.gone = now();
        leave();
      });
    });
  }

  function kill({ name, machine }: Owner): void {
    saw("killed");
    machine.kill();
    owners.delete(name);
    for (const fate of fates) if (fate.owner === name && fate.ended === undefined) fate.gone ??= now();
    bear();
  }

  const end = plan.seconds * 1000 * MS;
  const quiet = end * 0.75;
  /** Whether something happens in this step that happens so often per second. */
  const isTime = (often = 0) => now() < quiet && chance((often * STEP) / (1000 * MS));
  function step(): void {
    for (const owner of [...owners.values()]) {
      for (let left = plan.rate; left > 0; left--) if (isTime(Math.min(1, left))) come(owner);
      if (isTime(plan.cancels) && owner.cancel.length > 0) owner.machine.run(pick(owner.cancel));
      if (isTime(plan.stalls)) {
        saw("stalled");
        const stall = Math.floor(random() * (plan.longestStallMs ?? 1_000) * MS);
        if (!owner.machine.isStopped) owner.awakeAt = now() + stall;
        owner.machine.stop(stall, false);
      }
      if (isTime(plan.kills)) kill(owner);
    }
    if (isTime(plan.lostQueues)) {
      saw("lost queue");
      store.loseQueue();
      line.forget();
    }
    if (isTime(plan.lostAll)) {
      saw("lost all");
      flushes.push(now());
      store.loseAll();
      line.forget();
    }
    if (plan.clockSteps !== undefined && isTime(0.3)) {
      const step = pick(plan.clockSteps);
      saw("clock step");
      store.stepClock(step * MS);
      // Time that has not passed lets as much go as was lost.
      if (step > 0) flushes.push(now());
      line.forget();
    }
    if (isTime(plan.pauses)) {
      saw("paused");
      const pause = Math.ceil(random() * 1_500 * MS);
      pauses.push([now(), now() + pause]);
      store.exchange("feedback", { pause });
    }
    if (isTime(plan.cuts)) {
      saw("cut");
      store.exchange("feedback", { cut: 0 });
    }
    if (now() < end) at(now() + STEP, step);
  }

  for (let i = 0; i < plan.owners; i++) bear();
  for (const owner of owners.values()) for (let i = 0; i < plan.burst; i++) come(owner);
  at(STEP, step);
  await runUntil(end);
  lapse();
  return { plan, end, fates, line, flushes, pauses, exchanges, longestLapse, seen };
}
