import type { Logger } from "pino";
import type { Decision } from "sluice";
import type { Statistics } from "./statistics.ts";

/** Writes every decision to the log and into the statistics. What a client sent is never in it. */
export type DecisionLog = (what: string, client: string, decisions: readonly Decision[]) => void;

export function decisionLog(log: Logger, statistics: Statistics): DecisionLog {
  return (what, client, decisions) => {
    const refusing = decisions.find(({ allowed }) => !allowed);
    statistics.record(client, decisions, refusing === undefined);
    if (refusing !== undefined) {
      const { quota, limit, retryAfterMs } = refusing;
      log.warn(
        { client, quota, limit, retryAfterMs },
        `Refused ${what}: over ${quota}, retry after ${retryAfterMs} ms`,
      );
    }
    for (const { quota, limit, remaining, allowed } of decisions) {
      log.debug({ client, quota, allowed }, `${what}: ${limit - remaining}/${limit} used of ${quota}`);
    }
  };
}
