import { shown } from "../../../algorithms/numbers.ts";
import type { Duplicable, IoredisSubscriber, NodeRedisSubscriber, RedisClient } from "../types.ts";

/** Channels of Redis, heard over a connection of any client. */
export interface Channels {
  /** Fails when it is not known whether messages will come. May be asked again. */
  join(channel: string, hear: (message: string) => void): Promise<unknown>;
  leave(channel: string): Promise<unknown>;
  /** Ends the connection, if it was made here. */
  end(): void;
}

/** Messages that were sent while there was no connection are lost, so it comes back soon. In milliseconds. */
const comeBack = (attempts: number): number => Math.min(2_000, 50 * attempts);

/**
 * A client that hears messages can do nothing else, so it is another one: `given`, or made like `client`. Clients of a
 * Cluster, and node-redis with Sentinels, have a connection for this beside the others.
 *
 * @throws TypeError for what was given and is no client.
 */
export function channelsOf(client: RedisClient, given: RedisClient | undefined): Channels {
  const from: unknown = given ?? client;
  if (typeof (from as Partial<IoredisSubscriber>)?.subscribe !== "function") {
    throw new TypeError(`subscriber must be a client like the other one, but it is ${shown(from)}.`);
  }
  const hasItsOwn = "masters" in client || "getSentinelNode" in client || ("isCluster" in client && client.isCluster);
  const isMade = given === undefined && !hasItsOwn;
  if ("evalsha" in (from as RedisClient)) {
    return overIoredis(isMade ? anotherIoredis(from as Duplicable) : (from as IoredisSubscriber), isMade);
  }
  return overNodeRedis(isMade ? anotherNodeRedis(from as Duplicable) : (from as NodeRedisSubscriber), isMade);
}

/** Subscribes again by itself when it has a new connection, which it never ceases to try. */
function anotherIoredis(client: Duplicable): IoredisSubscriber {
  const made: IoredisSubscriber = client.duplicate({
    lazyConnect: false,
    enableOfflineQueue: true,
    autoResubscribe: true,
    commandTimeout: undefined,
    socketTimeout: undefined,
    retryStrategy: comeBack,
    sentinelRetryStrategy: comeBack,
  });
  made.on("error", () => {});
  made.on("connect", () => made.stream?.unref?.());
  return made;
}

function anotherNodeRedis(client: Duplicable): NodeRedisSubscriber {
  const socket = { ...client.options?.socket, reconnectStrategy: comeBack };
  const made: NodeRedisSubscriber = client.duplicate({ socket, disableOfflineQueue: false });
  made.on("error", () => {});
  made.unref();
  return made;
}

function overIoredis(client: IoredisSubscriber, isOwn: boolean): Channels {
  const hearers = new Map<string, (message: string) => void>();
  const onMessage = (channel: string, message: string) => hearers.get(channel)?.(message);
  client.on("message", onMessage);
  return {
    join(channel, hear) {
      hearers.set(channel, hear);
      return client.subscribe(channel);
    },
    leave(channel) {
      hearers.delete(channel);
      return client.unsubscribe(channel);
    },
    end() {
      client.off("message", onMessage);
      if (isOwn) client.disconnect();
    },
  };
}

/** A client of node-redis takes a channel that is being left for one that it hears already, and then hears nothing. */
const turns = new WeakMap<NodeRedisSubscriber, Promise<unknown>>();

function overNodeRedis(client: NodeRedisSubscriber, isOwn: boolean): Channels {
  let connected: Promise<unknown> | undefined = isOwn ? undefined : Promise.resolve();
  const connect = (): Promise<unknown> => {
    connected ??= client.connect().catch((error: unknown) => {
      connected = undefined;
      throw error;
    });
    return connected;
  };
  const inTurn = (work: () => Promise<unknown>): Promise<unknown> => {
    const turn = (turns.get(client) ?? Promise.resolve()).then(work, work);
    turns.set(client, turn);
    return turn;
  };
  return {
    join: (channel, hear) => inTurn(() => connect().then(() => client.subscribe(channel, hear))),
    leave: (channel) => inTurn(() => client.unsubscribe(channel)),
    end() {
      if (isOwn) client.destroy();
    },
  };
}
