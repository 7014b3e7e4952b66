import { Mode } from "../../algorithms/algorithm.ts";
import type { Clock } from "../../limiter/clock.ts";
import type { QueueSeat, QueueTerms, SharedQueue } from "../../limiter/shared-queue.ts";
import type { Account, Demand, Store, Taken, TakeOptions } from "../../limiter/store.ts";
import { takeAcrossSlots } from "./across-slots.ts";
import { batches } from "./batches.ts";
import { connection } from "./connection.ts";
import { decisions } from "./decisions.ts";
import { documents } from "./documents.ts";
import { keyNames } from "./key-names.ts";
import { assertKnown } from "./ledger-terms.ts";
import { plainScripts } from "./plain-script.ts";
import { NOT_BLOCKED, plainTakeOf } from "./plain-take.ts";
import { channelsOf } from "./queue/channels.ts";
import { sharedQueues } from "./queue/shared-queues.ts";
import { subscriber } from "./queue/subscriber.ts";
import { lingerMs } from "./request.ts";
import { runs } from "./runs.ts";
import type { RedisClient } from "./types.ts";

export { RedisKeyError, RedisStoreError } from "./errors.ts";
export type { IoredisClient, NodeRedisClient, RedisClient } from "./types.ts";

export interface RedisStoreOptions {
  /**
   * A client of ioredis, iovalkey or node-redis: single, with Sentinels, or of a Cluster. Closing it is left to its
   * owner. It must not send a command again whose reply got lost, and should fail at once while there is no connection:
   *
   * - ioredis, iovalkey: `new Redis(url, { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, enableOfflineQueue: false })`.
   *   A `reconnectOnError` must not return 2 (nobody can check that).
   * - their Cluster: `new Cluster(nodes, { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0, enableOfflineQueue: false })`.
   *   Without the second, calls to a dead master are held back until they are late, and those to others suffer with them.
   * - node-redis: `createClient({ url, disableOfflineQueue: true })`. Without that it never sends a command twice either,
   *   but keeps new ones until there is a connection again.
   * - node-redis with Sentinels: `createSentinel({ maxCommandRediscovers: 0, … })`, and `allowResend: true` because that
   *   cannot be checked.
   */
  readonly client: RedisClient;
  /** Begins every key in Redis. No braces. @default "sluice:" */
  readonly prefix?: string;
  /** How long a decision may take, time in queues included. In milliseconds. @default 50 */
  readonly timeoutMs?: number;
  /**
   * Its wall time is used instead of that of Redis: for serverless offers that have no TIME in scripts. The clocks of all
   * processes must then agree. @default the time of Redis
   */
  readonly clock?: Clock;
  /**
   * Tells what decides about the slot in a Cluster: accounts of one tag are in one slot, where a decision about several of
   * them is one call, and atomic. Deploy a change of it like a change of `prefix`: keys get other names.
   *
   * @default the key itself: all quotas of one key are in one slot
   */
  readonly hashTag?: (key: string) => string;
  /** Take a client that may send a command again after its reply was lost, and so charge a call twice. @default false */
  readonly allowResend?: boolean;
  /**
   * A second client of the same kind, for nothing but hearing what other processes do in shared queues. Closing it is left
   * to its owner. Without one the store makes it when the first queue is opened, with the options of `client`, and closes it with the last;
   * clients of a Cluster, and node-redis with Sentinels, hear over a connection of their own. It keeps no process alive, except
   * while it tries to connect again.
   *
   * @default one like `client`
   */
  readonly subscriber?: RedisClient;
}

/** Keeps states and queues in Redis or Valkey, for any number of processes. Decisions are promises. */
export interface RedisStore extends Store {
  /**
   * @throws StoreTimeoutError when there is no answer in time, RedisStoreError when Redis or the connection failed (in
   *   both cases the call counts as taken); StoreUnavailableError while a failing Redis is left alone, RedisKeyError
   *   for a key that holds something else (in both cases nothing was charged).
   */
  take(demands: readonly Demand[], options?: TakeOptions): Promise<readonly Taken[]>;
  forget(accounts: readonly Account[]): Promise<void>;
  /**
   * Each request is one call of a script, which tells other owners by PUBLISH; where that does not reach them they ask by
   * themselves. Requests fail as `take` does, and then may have been done. Bytes that are no queue are a new, empty queue.
   *
   * @throws TypeError for an algorithm that Redis does not know, or when the store is closed.
   */
  queue(terms: QueueTerms, seat: QueueSeat): SharedQueue;
  /** Decides no more, and hears nothing more of queues. The client stays open. */
  close(): Promise<void>;
}

/**
 * One exact limit for any number of processes and machines.
 *
 * Decisions that are asked for in one turn of the event loop go out as one call of a script. A decision whose accounts are
 * in several slots of a Cluster is decided slot by slot, and what was taken is given back when a later slot refuses:
 * never more than the limit passes, but two such calls at once may both be refused. See `hashTag`.
 *
 * Works with Redis from 6.2 and every Valkey. Give it a Redis that does not evict keys (`maxmemory-policy noeviction`):
 * an evicted key is a limit that starts anew.
 *
 * @example
 * const client = new Redis(url, { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, enableOfflineQueue: false });
 * const limiter = createLimiter({ quota: "60/min", store: redisStore({ client }) });
 *
 * @throws TypeError for a client that cannot be used, or that would send debits again. @throws RangeError for options that
 *   cannot be.
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  const { client, prefix = "sluice:", timeoutMs = 50, clock, hashTag, allowResend = false } = options;
  const names = keyNames({ prefix, ...(hashTag && { hashTag }) });
  const redis = connection(client, allowResend);
  const calls = batches({ connection: redis, names, timeoutMs, clock });
  const hearing = subscriber(() => channelsOf(client, options.subscriber));
  const queues = sharedQueues({ connection: redis, names, timeoutMs, clock, subscriber: hearing });
  const decide = decisions(calls);
  const documentOf = documents(runs(redis, timeoutMs), names);
  let isClosed = false;

  const plainTermsOf = plainScripts({ lingerMs: lingerMs(clock), isTimeOfRedis: clock === undefined });

  const open = <T>(work: () => Promise<T>): Promise<T> => (isClosed ? Promise.reject(closed()) : work());

  const takeAll = (demands: readonly Demand[], takeOptions: TakeOptions): Promise<readonly Taken[]> => {
    const { mode = Mode.take, ahead = [] } = takeOptions;
    for (const { ledger } of demands) assertKnown(ledger);
    if (demands.length === 0) return Promise.resolve([]);
    if (mode === Mode.peek || ahead.length > 0) return decide.peek(demands, takeOptions);
    const plain = mode === Mode.take ? plainTakeOf(demands, plainTermsOf) : undefined;
    if (plain !== undefined) {
      return calls.take(plain, (quota, blocks = plain.blocks.map(() => NOT_BLOCKED)) => [{ ...quota }, ...blocks]);
    }
    const slot = calls.slotOf(demands[0]!);
    const isOneSlot = demands.length === 1 || demands.every((demand) => calls.slotOf(demand) === slot);
    return isOneSlot ? decide.take(demands, mode) : takeAcrossSlots(decide, demands, calls.slotOf, mode);
  };

  return {
    ...(clock && { clock }),
    take: async (demands, takeOptions = {}) => open(() => takeAll(demands, takeOptions)),
    forget: async (accounts) => open(() => decide.forget(accounts)),
    express(quota, blocks) {
      const terms = plainTermsOf(quota);
      if (terms === undefined) return undefined;
      const blockLedgers = [blocks];
      return {
        take(key, cost, decided) {
          if (isClosed) return Promise.reject(closed());
          if (cost > 0) {
            return calls.take({ terms, quota, blocks: blockLedgers, key, cost, least: undefined }, (taken, told) =>
              decided(taken, told?.[0]),
            );
          }
          const demands = [
            { ledger: quota, key, cost },
            { ledger: blocks, key, cost: 1 },
          ];
          return open(async () => {
            const [taken, blocked] = await takeAll(demands, {});
            return decided(taken!, blocked);
          });
        },
      };
    },
    queue(terms, seat) {
      if (isClosed) throw closed();
      return queues.open(terms, seat);
    },
    document(name) {
      const { read, replace } = documentOf(name);
      return {
        read: () => open(async () => read()),
        replace: (version, text) => open(async () => replace(version, text)),
      };
    },
    async close() {
      isClosed = true;
      queues.close();
    },
  };
}

const closed = (): TypeError => new TypeError("The Redis store is closed, and decides no more.");
