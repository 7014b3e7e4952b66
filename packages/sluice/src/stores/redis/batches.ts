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

/** How long a slot that is being moved is left alone. In milliseconds. */
const TRY_AGAIN_MS = 5;

export function batches({ connection, names, timeoutMs, clock }: BatchesOptions): Batches {
  const request = requests(names, clock);
  const waiting = new Map<number, Pending[]>();
  const slot = connection.isCluster ? (account: Account) => slotOf(names.of(account)) : () => 0;

  function flush(): void {
    const groups = [...waiting.values()];
    waiting.clear();
    for (const group of groups) {
      for (let rest: readonly Pending[] = group; rest.length > 0; ) {
        const sent = request(rest);
        void send(sent);
        rest = rest.slice(sent.batch.length);
      }
    }
  }

  async function send(sent: Request): Promise<void> {
    try {
      let reply = await run(sent);
      if (reply.peek() === Sign.needsWindows) {
        reply.next();
        reply = await run(request(sent.batch, reply.readTime()));
      }
      deliver(sent, reply);
    } catch (error) {
      for (const { fail } of sent.batch) fail(error);
    }
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

function deliver({ batch, keys }: Request, reply: Reader): void {
  reply.readTime();
  for (const { answer, fail } of batch) {
    if (reply.peek() === Sign.damaged) {
      reply.next();
      fail(new RedisKeyError(keys[reply.next() - 1]!));
    } else answer(reply);
  }
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
