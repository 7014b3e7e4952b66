import { type Clock, systemClock } from "../../limiter/clock.ts";
import type { Account, Demand } from "../../limiter/store.ts";
import { timedCalls } from "../timeout.ts";
import type { Connection } from "./connection.ts";
import { RedisKeyError } from "./errors.ts";
import type { KeyNames } from "./key-names.ts";
import { deliverTakes } from "./plain-reply.ts";
import { type Decided, demandsOf, haveSameBlocks, PendingTake, type PlainTake, plainRequest } from "./plain-take.ts";
import { type Reader, reader } from "./reader.ts";
import { type Request, requests } from "./request.ts";
import { runs } from "./runs.ts";
import { Ask, type Script, script } from "./script.ts";
import { Sign } from "./sign.ts";
import { slotOf } from "./slot.ts";
import { takenOf } from "./taken.ts";

/** Decisions that are asked for in one turn of the event loop go to Redis as one call: per slot, where there are slots. */
export interface Batches {
  /**
   * Ask about accounts, each named once and all in one slot.
   *
   * @param read takes the answers to these demands, and no more, from the reply
   */
  ask<T>(ask: Ask, demands: readonly (Account & Partial<Demand>)[], read: (reply: Reader) => T): Promise<T>;
  /** Ask for units of one quota. */
  take<T>(take: PlainTake, decided: Decided<T>): Promise<T>;
  /** The slot of an account: 0 for all where there are no slots. */
  slotOf(account: Account): number;
}

export interface BatchesOptions {
  readonly connection: Connection;
  readonly names: KeyNames;
  /** Until when there must be an answer, and a call that has not run may be sent again. In milliseconds. */
  readonly timeoutMs: number;
  /** Instead of the time of Redis. */
  readonly clock?: Clock | undefined;
}

/** A decision that waits to be sent, and to be answered. */
export interface Pending {
  readonly ask: Ask;
  readonly demands: readonly (Account & Partial<Demand>)[];
  answer(reply: Reader): void;
  fail(error: unknown): void;
}

/** With no more takes than so in one call Redis decides about some while this process reads what it has said about others. */
const MAX_TAKES = 32;
/** After one key was seen to be blocked all are looked at for so long, in microseconds. */
const LOOK_AT_ALL = 1_000_000;

export function batches({ connection, names, timeoutMs, clock }: BatchesOptions): Batches {
  const request = requests({ names, clock, hasMarkers: !connection.isCluster });
  const call = timedCalls(clock ?? systemClock, { timeoutMs });
  const runOnce = runs(connection, timeoutMs);
  let waiting = new Map<number, (Pending | PendingTake)[]>();
  const slot = connection.isCluster ? (account: Account) => slotOf(names.of(account)) : () => 0;
  /** Calls that Redis has not answered. While there is none, waiting for others to join would only cost time. */
  let underWay = 0;
  let lookAtAllUntil = connection.isCluster ? Infinity : -Infinity;

  function flush(): void {
    const groups = waiting.values();
    // One that is cleared and filled again and again leaves a trail that costs the collector of garbage much.
    waiting = new Map();
    for (const group of groups) {
      const { plain, others } = areAlike(group) ? { plain: [group], others: [] } : sorted(group);
      for (const takes of plain) for (const batch of batchesOf(takes)) send(batch, () => takeAll(batch));
      for (const sent of requestsOf(others)) send(sent.batch, () => decideAll(sent));
    }
  }

  function* requestsOf(group: readonly Pending[]): Generator<Request> {
    for (let rest = group; rest.length > 0; ) {
      const sent = request(rest);
      yield sent;
      rest = rest.slice(sent.batch.length);
    }
  }

  function send(batch: readonly { fail(error: unknown): void }[], work: () => Promise<void>): void {
    call(work).then(undefined, (error: unknown) => {
      for (const { fail } of batch) fail(error);
    });
  }

  async function decideAll(sent: Request): Promise<void> {
    let reply = reader(await run(script, sent.keys, [sent.text]));
    if (reply.peek() === Sign.needsWindows) {
      reply.next();
      const again = request(sent.batch, reply.readTime());
      reply = reader(await run(script, again.keys, [again.text]));
    }
    deliver(sent, reply);
  }

  async function takeAll(batch: readonly PendingTake[]): Promise<void> {
    const { terms } = batch[0]!.take;
    const isGuarded = systemClock.elapsed() < lookAtAllUntil;
    const sent = plainRequest(batch, names, clock?.wall() ?? 0, isGuarded);
    const left = deliverTakes(sent, await run(terms.script, sent.keys, sent.args));
    if (left === undefined) {
      lookAtAllUntil = systemClock.elapsed() + LOOK_AT_ALL;
      return takeAll(batch);
    }
    if (left.length === 0) return;
    await Promise.all([...requestsOf(left.map(inFull))].map(decideAll));
  }

  function run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    underWay++;
    const reply = runOnce(script, keys, args);
    reply.then(answered, answered);
    return reply;
  }

  function answered(): void {
    underWay--;
  }

  function join(group: number, pending: Pending | PendingTake): void {
    if (waiting.size === 0) (underWay === 0 ? afterMicrotasks : atEndOfTurn)(flush);
    const others = waiting.get(group);
    if (others === undefined) waiting.set(group, [pending]);
    else others.push(pending);
  }

  return {
    ask: (ask, demands, read) =>
      new Promise((resolve, fail) => {
        join(slot(demands[0]!), { ask, demands, answer: (reply: Reader) => resolve(read(reply)), fail });
      }),
    take: (take, decided) =>
      new Promise((resolve, fail) => {
        const group = connection.isCluster ? slot({ ledger: take.quota, key: take.key }) : 0;
        join(group, new PendingTake(take, decided, resolve, fail));
      }),
    slotOf: slot,
  };
}

const isTake = (pending: Pending | PendingTake): pending is PendingTake => pending instanceof PendingTake;

/** In calls of about the same size. */
function* batchesOf(takes: readonly PendingTake[]): Generator<readonly PendingTake[]> {
  const size = Math.ceil(takes.length / Math.ceil(takes.length / MAX_TAKES));
  for (let from = 0; from < takes.length; from += size) yield takes.slice(from, from + size);
}

/** Whether all are takes of one quota that look at the same blocks: nearly always. */
function areAlike(group: readonly (Pending | PendingTake)[]): group is readonly PendingTake[] {
  const [first] = group;
  if (first === undefined || !isTake(first)) return false;
  const { take } = first;
  return group.every(
    (pending) => isTake(pending) && pending.take.quota === take.quota && haveSameBlocks(pending.take, take),
  );
}

/** Takes for the short script, by their quota, and everything else. What is asked about one key stays together, in its order. */
function sorted(group: readonly (Pending | PendingTake)[]): { plain: PendingTake[][]; others: Pending[] } {
  const plain = new Map<string, PendingTake[]>();
  const others: Pending[] = [];
  const busy = new Set(group.flatMap((pending) => (isTake(pending) ? [] : pending.demands.map(({ key }) => key))));
  for (const pending of group) {
    if (!isTake(pending)) others.push(pending);
    else if (busy.has(pending.take.key)) others.push(inFull(pending));
    else {
      const { space } = pending.take.quota;
      const takes = plain.get(space);
      if (takes === undefined) plain.set(space, [pending]);
      else takes.push(pending);
    }
  }
  const lists = [...plain.values()];
  const isAlike = (takes: PendingTake[]) => takes.every(({ take }) => haveSameBlocks(take, takes[0]!.take));
  if (lists.every(isAlike)) return { plain: lists, others };
  return { plain: [], others: group.map(inFull) };
}

/** For the script of everything. */
function inFull(pending: Pending | PendingTake): Pending {
  if (!isTake(pending)) return pending;
  const demands = demandsOf(pending.take);
  const answer = (reply: Reader) => {
    const [quota, ...blocks] = demands.map((demand) => takenOf(reply, demand));
    pending.settle(quota!, blocks);
  };
  return { ask: Ask.take, demands, answer, fail: pending.fail };
}

function deliver({ batch, keys }: Request, reply: Reader): void {
  reply.readTime();
  for (const { answer, fail } of batch) {
    if (reply.peek() === Sign.damaged) {
      reply.next();
      fail(new RedisKeyError(keys[reply.next() - 1]!));
    } else answer(reply);
  }
}

/** Calls back when what is running now has asked for everything, promises that are settled by now included. */
function afterMicrotasks(callback: () => void): void {
  if (typeof process === "object" && typeof process.nextTick === "function") {
    queueMicrotask(() => process.nextTick(callback));
  } else atEndOfTurn(callback);
}

/** Calls back when everybody whose turn is now has asked: other sockets, other timers. */
function atEndOfTurn(callback: () => void): void {
  if (typeof setImmediate === "function") setImmediate(callback);
  else setTimeout(callback, 0);
}
