import type { CallOptions } from "sluice/outbound";
import { type One, world } from "./world.ts";

/** One call of a random life. Times are milliseconds. */
export interface LifeCall {
  /** After the one before it. */
  readonly pause: number;
  readonly tenant: number;
  readonly endpoint: number;
  readonly cost: number;
  readonly priority: NonNullable<CallOptions["priority"]>;
  readonly took: number;
  readonly maxWaitMs: number | null;
  readonly leavesAfter: number | null;
  /** The event loop stands still for so long after it. */
  readonly stall: number;
  readonly fails: boolean;
}

/** What became of a call. */
export interface LivedCall extends LifeCall {
  readonly lane: string;
  readonly order: number;
  readonly came: number;
  start?: number;
  end?: number;
  /** Starts and ends in the order in which they came. */
  startedAs?: number;
  endedAs?: number;
  hasLeft?: boolean;
  outcome?: string;
}

const OFFSET = { high: 0, normal: 10_000, low: 30_000 };

/** Lives a life in virtual time. @returns its calls, and what was wrong about their order. */
export async function live(config: One, calls: readonly LifeCall[]) {
  const { clock, api, now, later, upstreams } = world(config);
  const lived: LivedCall[] = [];
  const wrong: string[] = [];
  let moments = 0;
  const waits = ({ start, outcome, hasLeft, came, maxWaitMs }: LivedCall) =>
    start === undefined && outcome === undefined && hasLeft !== true && came + (maxWaitMs ?? Infinity) > now();
  for (const one of calls) {
    await clock.advance(one.pause);
    const lane = `${one.tenant} ${one.endpoint}`;
    const call: LivedCall = { ...one, lane, came: now(), order: now() + OFFSET[one.priority] };
    const leaver = new AbortController();
    lived.push(call);
    const made = api.run(
      async ({ signal }) => {
        if (call.start !== undefined || call.outcome !== undefined)
          wrong.push("A call started twice, or after its end.");
        call.start = now();
        call.startedAs = ++moments;
        const before = lived.find((other) => other.lane === lane && other.order < call.order && waits(other));
        if (before !== undefined) wrong.push(`A call of order ${call.order} started before one of ${before.order}.`);
        try {
          if (call.took > 0) await later(call.took, 0, signal);
          if (call.fails) throw new RangeError("failed");
        } finally {
          call.end = now();
          call.endedAs = ++moments;
        }
      },
      {
        ...(one.tenant > 0 && { tenant: `t${one.tenant}` }),
        ...(one.endpoint > 0 && { endpoint: `e${one.endpoint}` }),
        cost: one.cost,
        priority: one.priority,
        maxWaitMs: one.maxWaitMs ?? Infinity,
        signal: leaver.signal,
      },
    );
    const ended = (outcome: string) => {
      if (call.outcome !== undefined) wrong.push("A call ended twice.");
      call.outcome = outcome;
    };
    void made.then(
      () => ended("made"),
      (error) => ended(error.reason ?? (error instanceof RangeError ? "failed" : "aborted")),
    );
    if (one.leavesAfter !== null) {
      clock.after(one.leavesAfter, () => {
        call.hasLeft = true;
        leaver.abort();
      });
    }
    clock.stall(one.stall);
  }
  await clock.advance(10 * 86_400_000);
  const { waiting, running } = api.stats();
  const left = { waiting, running, timers: clock.pending };
  await upstreams.close();
  return { lived, wrong, left };
}
