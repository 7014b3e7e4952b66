import { assertNoResend } from "./resend.ts";
import type { Script } from "./script.ts";
import type { IoredisClient, NodeRedisClient, RedisClient } from "./types.ts";

/** A client of any kind, as one thing to ask. */
export interface Connection {
  /** Whether all keys of a call must be in one slot. */
  readonly isCluster: boolean;
  /** Runs a script that Redis remembers, once. Fails with NOSCRIPT where it does not, and then nothing ran. */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** Runs a script that is sent whole, once. */
  runWhole(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>;
}

/**
 * Tells the clients apart by their methods.
 *
 * @throws TypeError for what is no client, or one that sends commands again whose reply got lost.
 */
export function connection(client: RedisClient, allowResend: boolean): Connection {
  const { evalsha, evalSha } = (client ?? {}) as Partial<IoredisClient & NodeRedisClient>;
  const isIoredis = typeof evalsha === "function";
  if (!isIoredis && typeof evalSha !== "function") {
    throw new TypeError(
      "client must be one of ioredis or iovalkey (new Redis(…), new Cluster(…)) or of node-redis (createClient(…), createCluster(…)), " +
        `but it is ${client === null ? "null" : `a value of type ${typeof client} without evalsha and evalSha`}.`,
    );
  }
  if (!allowResend) assertNoResend(client);
  return isIoredis ? overIoredis(client as IoredisClient) : overNodeRedis(client as NodeRedisClient);
}

function overIoredis(client: IoredisClient): Connection {
  return {
    isCluster: client.isCluster === true,
    run: ({ sha }, keys, args) => client.evalsha(sha, keys.length, ...keys, ...args),
    runWhole: ({ text }, keys, args) => client.eval(text, keys.length, ...keys, ...args),
  };
}

function overNodeRedis(client: NodeRedisClient): Connection {
  const optionsOf = (keys: readonly string[], args: readonly string[]) => ({
    keys: keys as string[],
    arguments: args as string[],
  });
  return {
    isCluster: "masters" in client,
    run: ({ sha }, keys, args) => client.evalSha(sha, optionsOf(keys, args)),
    runWhole: ({ text }, keys, args) => client.eval(text, optionsOf(keys, args)),
  };
}

/** Whether Redis has answered with an error of that kind. */
export function isReply(error: unknown, kind: string): boolean {
  return error instanceof Error && error.message.startsWith(`${kind} `);
}
