import { assertNoResend } from "./resend.ts";
import type { Script } from "./script.ts";
import type { IoredisClient, NodeRedisClient, RedisClient } from "./types.ts";

/** A client of any kind, as one thing to ask. */
export interface Connection {
  /** Whether all keys of a call must be in one slot. */
  readonly isCluster: boolean;
  /** Runs a script, once. Where Redis does not know it (then nothing ran) it is sent whole. */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>;
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
    async run(script, keys, args) {
      try {
        return await client.evalsha(script.sha, keys.length, ...keys, ...args);
      } catch (error) {
        if (!isReply(error, "NOSCRIPT")) throw error;
        return await client.eval(script.text, keys.length, ...keys, ...args);
      }
    },
  };
}

function overNodeRedis(client: NodeRedisClient): Connection {
  return {
    isCluster: "masters" in client,
    async run(script, keys, args) {
      const options = { keys: keys as string[], arguments: args as string[] };
      try {
        return await client.evalSha(script.sha, options);
      } catch (error) {
        if (!isReply(error, "NOSCRIPT")) throw error;
        return await client.eval(script.text, options);
      }
    },
  };
}

/** Whether Redis has answered with an error of that kind. */
export function isReply(error: unknown, kind: string): boolean {
  return error instanceof Error && error.message.startsWith(`${kind} `);
}
