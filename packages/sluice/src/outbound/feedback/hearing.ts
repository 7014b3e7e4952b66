import type { Limit } from "../limits.ts";
import type { Line } from "../scheduler/line.ts";
import type { Running } from "../scheduler/starts.ts";
import { type ResponseHead, readStatement, type StatedLimit } from "./statement.ts";
import { closedForMs, throttledBy } from "./throttled-by.ts";
import { createUsageModel, type UsageModel } from "./usage-model.ts";

/** What was heard from an upstream. */
export interface Heard {
  readonly isThrottled: boolean;
  /** What the upstream asked for. */
  readonly retryAfterMs: number | undefined;
  /** Nobody starts for so long from now. */
  readonly pausedForMs?: number;
  /** Units that others have used. */
  readonly elsewhere: readonly { readonly limit: string; readonly units: number }[];
}

/** Listens to the responses of an upstream, and sees to it that all calls heed what it says. */
export interface Hearing {
  /** A call starts. Returns its place in the order of calls. */
  sent(cost: number): number;
  /** A call ended without a response. */
  lost(sequence: number): void;
  heard(response: ResponseHead, call: HeardCall): Heard;
}

/** A call that a response answers. */
export interface HeardCall extends Running {
  /** What `sent` gave. */
  readonly sequence: number;
  readonly startedAt: number;
}

export function createHearing(line: Line, limits: readonly Limit[]): Hearing {
  const { clock, starts } = line;
  /** Made with the first response that states a limit: most upstreams state none. */
  let usage: UsageModel | undefined;
  let usageSince = 0;
  const nowMs = () => clock.elapsed() / 1000;

  function limitOf(stated: StatedLimit): Limit | undefined {
    if (stated.unit !== undefined && stated.unit !== "requests") return undefined;
    const named = limits.filter(({ name }) => name === stated.name);
    if (named.length === 1) return named[0];
    const alike = limits.filter(
      ({ quota }) =>
        (stated.windowMs === undefined || stated.windowMs === quota.periodMs) &&
        (stated.limit === undefined || stated.limit === quota.limit || limits.length === 1),
    );
    return alike.length === 1 ? alike[0] : undefined;
  }

  /** Units that others used, as far as the response tells; all calls from now on heed them. */
  function usedElsewhere(stated: readonly StatedLimit[], call: HeardCall): Heard["elsewhere"] {
    const known = stated.filter((one) => one.remaining !== undefined && limitOf(one) !== undefined);
    if (!starts.isAlone) {
      return known.flatMap((one) => {
        const limit = limitOf(one)!.name;
        const units = starts.noticed(limit, call, one.remaining!);
        return units > 0 ? [{ limit, units }] : [];
      });
    }
    if (usage === undefined && known.length > 0) {
      usage = createUsageModel();
      usageSince = nowMs();
    }
    // The model must hear of the end of every call that it was told of, whatever its response says.
    const noticed = usage?.heard(call.sequence, known, nowMs()) ?? [];
    return noticed.flatMap(({ stated: one, foreign }) => {
      const { name: limit, quota } = limitOf(one)!;
      // Our own calls from before the model are not known to it: they are over after a period.
      if (foreign === 0 || nowMs() - usageSince < quota.periodMs) return [];
      starts.noticed(limit, call, one.remaining!, foreign);
      return [{ limit, units: foreign }];
    });
  }

  return {
    sent: (cost) => usage?.sent(cost, nowMs()) ?? -1,
    lost: (sequence) => usage?.lost(sequence, nowMs()),
    heard(response, call) {
      const statement = readStatement(response, { wallMs: clock.wall() / 1000 });
      const isThrottled = throttledBy(response.status, statement);
      const elsewhere = usedElsewhere(statement.limits, call);
      const closedMs = isThrottled ? closedForMs(statement) : emptyForMs(statement.limits);
      if (closedMs !== undefined && closedMs > 0) {
        line.pause(closedMs * 1000);
        return { isThrottled, retryAfterMs: isThrottled ? closedMs : undefined, pausedForMs: closedMs, elsewhere };
      }
      if (isThrottled && closedMs === undefined) starts.cut(clock.elapsed() - call.startedAt);
      return { isThrottled, retryAfterMs: closedMs, elsewhere };
    },
  };

  /** A limit of ours with nothing left, of which it is said when something will be. */
  function emptyForMs(stated: readonly StatedLimit[]): number | undefined {
    const resets = stated
      .filter((one) => one.remaining === 0 && one.resetAfterMs !== undefined && limitOf(one)?.per === "upstream")
      .map(({ resetAfterMs }) => resetAfterMs!);
    return resets.length === 0 ? undefined : Math.max(...resets);
  }
}
