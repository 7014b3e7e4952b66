import { type Clock, systemClock } from "../../limiter/clock.ts";
import type { Account, Demand } from "../../limiter/store.ts";
import { type Connection, isReply } from "./connection.ts";
import { RedisKeyError, RedisStoreError } from "./errors.ts";
import type { KeyNames } from "./key-names.ts";
import { type Reader, reader } from "./reader.ts";
import { type Request, requests } from "./request.ts";
import { type Ask, Sign } from "./script.ts";
import { slotOf } from "./slot.ts";

/** Decisions that are asked for in one turn of the event loop go to Redis as one call: per slot, where there are slots. */
export interface Batches {
  /**
   * Ask about accounts, each named once and all in one slot.
   *
   * @param read takes the answers to these demands, and no more, from the reply
   */
  ask<T>(ask: Ask, demands: readonly (Account & Partial<Demand>)[], read: (reply: Reader) => T): Promise<T>;
  /** The slot of an account: 0 for all where there are no slots. */
  slotOf(account: Account): number;
}

export interface BatchesOptions {
  readonly connection: Connection;
  readonly names: KeyNames;
  /** Until when a call that has not run may be sent again. In milliseconds. */
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

/** More demands than this in one call would keep Redis busy for longer than others want to wait. */
const MAX_DEMANDS = 64;
/** How long a slot that is being moved is left alone. In milliseconds. */
const TRY_AGAIN_MS = 5;

export function batches({ connection, names, timeoutMs, clock }: BatchesOptions): Batches {
  const request = requests(names, clock);
  const waiting = new Map<number, Pending[]>();
  const slot = connection.isCluster ? (account: Account) => slotOf(names.of(account)) : () => 0;

  function flush(): void {
    const groups = [...waiting.values()];
    waiting.clear();
    for (const group of groups) for (const batch of inBatches(group)) void send(batch);
  }

  async function send(batch: readonly Pending[]): Promise<void> {
    try {
      deliver(batch, await replyTo(batch));
    } catch (error) {
      for (const { fail } of batch) fail(error);
    }
  }

  async function replyTo(batch: readonly Pending[]): Promise<{ reply: Reader; sent: Request }> {
    let sent = request(batch);
    let reply = await run(sent);
    if (reply.peek() === Sign.needsWindows) {
      sent = request(batch, reply.skipToTime());
      reply = await run(sent);
    }
    return { reply, sent };
  }

  async function run({ keys, text }: Request): Promise<Reader> {
    const due = systemClock.elapsed() + timeoutMs * 1000;
    for (;;) {
      try {
        return reader(await connection.run(keys, text));
      } catch (cause) {
        // The keys of a slot that is being moved are in two places: the script has not run.
        if (!isReply(cause, "TRYAGAIN") || systemClock.elapsed() > due) throw failed(cause);
        await new Promise<void>((resolve) => systemClock.after(TRY_AGAIN_MS, resolve));
      }
    }
  }

  return {
    ask: (ask, demands, read) =>
      new Promise((resolve, fail) => {
        if (waiting.size === 0) atEndOfTurn(flush);
        const group = slot(demands[0]!);
        const pending = { ask, demands, answer: (reply: Reader) => resolve(read(reply)), fail };
        const others = waiting.get(group);
        if (others === undefined) waiting.set(group, [pending]);
        else others.push(pending);
      }),
    slotOf: slot,
  };
}

function deliver(batch: readonly Pending[], { reply, sent }: { reply: Reader; sent: Request }): void {
  reply.readTime();
  for (const { answer, fail } of batch) {
    if (reply.peek() === Sign.damaged) {
      reply.next();
      fail(new RedisKeyError(sent.keys[reply.next() - 1]!));
    } else answer(reply);
  }
}

function* inBatches(group: readonly Pending[]): Generator<readonly Pending[]> {
  let batch: Pending[] = [];
  let count = 0;
  for (const pending of group) {
    if (batch.length > 0 && count + pending.demands.length > MAX_DEMANDS) {
      yield batch;
      batch = [];
      count = 0;
    }
    batch.push(pending);
    count += pending.demands.length;
  }
  yield batch;
}

function failed(cause: unknown): RedisStoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RedisStoreError(`Redis did not decide: ${reason}. The call may have been charged, and counts as taken.`, {
    cause,
  });
}

/** Calls back when everything that is due now has asked too: after all microtasks. */
function atEndOfTurn(callback: () => void): void {
  if (typeof setImmediate === "function") setImmediate(callback);
  else setTimeout(callback, 0);
}
