import { CliError, ExitCode } from "../cli/exit-code.ts";
import { type Engine, type Ruling, settled } from "./engine.ts";
import type { LoggedCall } from "./logged-call.ts";
import type { Outcome } from "./tally.ts";

/** What clients do when a call is refused. A log cannot know: each answer is one way in which it might have gone on. */
export const BEHAVIOURS = ["open", "wait", "retry"] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

export interface CrowdOptions {
  /**
   * `"open"`: they go on as in the log. `"wait"`: they wait as long as they are told, and all that they do afterwards is later by that.
   * `"retry"`: they try again after 1, 2 and 4 seconds, whatever they are told.
   */
  readonly behaviour: Behaviour;
  /** Of those who wait: a call that would have to wait longer is given up. In milliseconds. */
  readonly patienceMs: number;
}

/** The clients of a log, before one engine. */
export interface Crowd {
  /** A call comes, in the order of the log. `done` hears what became of it in the end: at once, or later. */
  add(call: LoggedCall, done: (outcome: Outcome) => void): void | Promise<void>;
  /** No more calls come: goes on until all is decided. */
  end(): Promise<void>;
}

const RETRIES_MS = [1_000, 2_000, 4_000];
/** Calls that are still to come. Where there are more, clients fall behind for good. */
const MOST_AHEAD = 1_000_000;

interface Coming {
  readonly call: LoggedCall;
  readonly done: (outcome: Outcome) => void;
  readonly tries: number;
  /** How long it has waited already, in milliseconds. */
  readonly waitedMs: number;
  /** By how much it is later than in the log because its client was late, in milliseconds. */
  readonly byMs: number;
}

/** A client that has waited. */
interface Late {
  /** By how much everything that it does from now on is later, in milliseconds. */
  byMs: number;
  /** Until when it waits, in microseconds. */
  until: number;
}

export function crowdOf(engine: Engine, { behaviour, patienceMs }: CrowdOptions): Crowd {
  const { clock } = engine;
  const late = new Map<string, Late>();
  /** Calls that are still to come. */
  let ahead = 0;
  /** Decisions that are not made yet. */
  let open = 0;

  const timeOf = ({ time }: LoggedCall): number => Math.round(time * 1000);

  function settle(coming: Coming, ruling: Ruling): void {
    const { call, done, tries } = coming;
    const stoodMs = ruling.waitedMs ?? 0;
    // The log is as late as calls stood in line then.
    hold(call.client, stoodMs - (call.waitedMs ?? 0), -stoodMs);
    const waitedMs = coming.waitedMs + stoodMs;
    const againMs = ruling.allowed ? undefined : againAfter(ruling, coming);
    if (againMs === undefined) {
      done(waitedMs === 0 && tries === 1 ? ruling : { ...ruling, delayMs: waitedMs, tries });
      return;
    }
    hold(call.client, againMs, 0);
    later(againMs, { ...coming, tries: tries + 1, waitedMs: waitedMs + againMs });
  }

  /** A client that waits does nothing else meanwhile. @param fromMs since when, from now */
  function hold(client: string, ms: number, fromMs: number): void {
    if (behaviour !== "wait" || ms <= 0) return;
    const from = clock.elapsed() + fromMs * 1000;
    const one = late.get(client) ?? { byMs: 0, until: 0 };
    late.set(client, one);
    const until = from + ms * 1000;
    one.byMs += Math.max(0, until - Math.max(from, one.until)) / 1000;
    one.until = Math.max(one.until, until);
  }

  /** In milliseconds; `undefined`: not at all. */
  function againAfter({ retryAfterMs }: Ruling, { tries, waitedMs }: Coming): number | undefined {
    if (behaviour === "retry") return RETRIES_MS[tries - 1];
    if (behaviour === "open" || waitedMs + retryAfterMs > patienceMs) return undefined;
    return Math.max(1, retryAfterMs);
  }

  function later(ms: number, coming: Coming): void {
    if (++ahead > MOST_AHEAD) {
      throw new CliError(
        `More than ${MOST_AHEAD} calls wait to be made: under these limits clients never catch up. Use --clients open.`,
        ExitCode.failed,
      );
    }
    clock.after(ms, () => {
      ahead--;
      const { byMs = 0 } = late.get(coming.call.client) ?? {};
      // Its client has become later still: what it does again it does in time.
      if (coming.tries === 1 && byMs > coming.byMs) later(byMs - coming.byMs, { ...coming, byMs });
      else decide(coming);
    });
  }

  function decide(coming: Coming): void {
    const ruling = engine.decide(coming.call);
    if (!("then" in ruling)) {
      settle(coming, ruling);
      return;
    }
    open++;
    void ruling.then((one) => {
      open--;
      settle(coming, one);
    });
  }

  function come(call: LoggedCall, done: (outcome: Outcome) => void): void {
    const { byMs = 0 } = late.get(call.client) ?? {};
    const coming = { call, done, tries: 1, waitedMs: 0, byMs };
    if (byMs === 0) decide(coming);
    else later(byMs, coming);
  }

  /** A call that waits, or is refused because it would wait too long, has to have got there before time goes on. */
  function comeAndSettle(call: LoggedCall, done: (outcome: Outcome) => void): void | Promise<void> {
    const before = open;
    come(call, done);
    return open > before ? settled() : undefined;
  }

  return {
    add(call, done) {
      const moved = engine.moveTo(timeOf(call));
      return moved === undefined ? comeAndSettle(call, done) : moved.then(() => comeAndSettle(call, done));
    },
    async end() {
      for (;;) {
        await engine.drain();
        if (ahead === 0 && open === 0) return;
        if (ahead > 0) await engine.moveTo(clock.next());
        else await settled();
      }
    },
  };
}
