import type { RedisClient } from "./types.ts";

/** What a client must be told, so that a command whose reply got lost is not sent again, and charged twice. */
interface Setting {
  readonly line: string;
  readonly isSafe: boolean;
}

/**
 * Refuses clients that send commands again when a connection breaks before the reply came.
 *
 * @throws TypeError that has the line to write.
 */
export function assertNoResend(client: RedisClient): void {
  const wrong = settingsOf(client).filter(({ isSafe }) => !isSafe);
  if (wrong.length === 0) return;
  throw new TypeError(
    "This Redis client may send a command again after its reply was lost, and so charge a call twice. " +
      `Create it with ${wrong.map(({ line }) => line).join(" and ")}. ` +
      "If calls may be charged twice, give the store `allowResend: true`.",
  );
}

function settingsOf(client: RedisClient): readonly Setting[] {
  if ("getSentinelNode" in client) {
    const line =
      "`maxCommandRediscovers: 0`, which node-redis lets nobody check, and give the store `allowResend: true`";
    return [{ line, isSafe: false }];
  }
  if (!("evalsha" in client)) return [];
  const { options = {} } = client;
  if (client.isCluster !== true) return [autoResend("autoResendUnfulfilledCommands: false", options)];
  const failover = { line: "`retryDelayOnFailover: 0`", isSafe: options.retryDelayOnFailover === 0 };
  // Only with this do the connections of a Cluster come back by themselves, and bring their commands along.
  if (typeof options.clusterNodeRetryStrategy !== "function") return [failover];
  return [failover, autoResend("redisOptions: { autoResendUnfulfilledCommands: false }", options.redisOptions ?? {})];
}

const autoResend = (line: string, options: { autoResendUnfulfilledCommands?: unknown }): Setting => ({
  line: `\`${line}\``,
  isSafe: options.autoResendUnfulfilledCommands === false,
});
