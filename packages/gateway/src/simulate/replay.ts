import type { Config } from "../config/schema.ts";
import { type Behaviour, type Crowd, crowdOf } from "./crowd.ts";
import { type Engine, engineOf } from "./engine.ts";
import type { LoggedCall } from "./logged-call.ts";
import { type Outcome, type Tally, tally } from "./tally.ts";

export interface ReplayOptions {
  /** The policies that are tried. */
  readonly candidate: Config;
  /** Those that they are compared with. @default what the log says became of calls */
  readonly against?: Config | undefined;
  /** @default "open" */
  readonly behaviour?: Behaviour;
  /** @default 60_000 */
  readonly patienceMs?: number;
  /** Limits on trial are in force. @default false */
  readonly enforce?: boolean;
  readonly tally?: Tally;
}

/** What became of all calls. */
export interface Replayed {
  readonly tally: Tally;
  /** Keys that the candidate's limits came to know, and decisions without one of their own. */
  readonly keys: number;
  readonly overflowed: number;
}

const PASSED: Outcome = { allowed: true, quota: "", retryAfterMs: 0 };
const REFUSED: Outcome = { allowed: false, quota: "", retryAfterMs: 0 };

/** What became of a call when it was made. */
const logged = ({ allowed }: LoggedCall): Outcome => (allowed === false ? REFUSED : PASSED);

/** Decides again about the calls of a log, in their order. */
export async function replay(
  batches: AsyncIterable<readonly LoggedCall[]> | Iterable<readonly LoggedCall[]>,
  {
    candidate,
    against,
    behaviour = "open",
    patienceMs = 60_000,
    enforce = false,
    tally: sums = tally(),
  }: ReplayOptions,
): Promise<Replayed> {
  const engine = engineOf(candidate, { enforce });
  const other = against === undefined ? undefined : engineOf(against, { enforce });
  const isSimple = behaviour === "open";
  const crowd = crowdOf(engine, { behaviour, patienceMs });
  const otherCrowd = other && crowdOf(other, { behaviour, patienceMs });
  for await (const batch of batches) {
    for (const call of batch) {
      if (isSimple && addAtOnce(call, engine, other, sums)) continue;
      const added = add(call, crowd, otherCrowd, sums);
      if (added !== undefined) await added;
    }
  }
  await crowd.end();
  await otherCrowd?.end();
  return { tally: sums, ...engine.stats() };
}

/** The shortest way, where nothing ever happens between calls. False: this is not such a place. */
function addAtOnce(call: LoggedCall, engine: Engine, other: Engine | undefined, sums: Tally): boolean {
  if (!engine.isPlain || !(other?.isPlain ?? true)) return false;
  const time = Math.round(call.time * 1000);
  engine.clock.moveTo(time);
  const now = engine.decide(call) as Outcome;
  if (other === undefined) {
    sums.add(call, now, logged(call));
  } else {
    other.clock.moveTo(time);
    sums.add(call, now, other.decide(call) as Outcome);
  }
  return true;
}

function add(call: LoggedCall, crowd: Crowd, otherCrowd: Crowd | undefined, sums: Tally): void | Promise<void> {
  let now: Outcome | undefined;
  let was: Outcome | undefined = otherCrowd === undefined ? logged(call) : undefined;
  const both = () => {
    if (now !== undefined && was !== undefined) sums.add(call, now, was);
  };
  const added = crowd.add(call, (outcome) => {
    now = outcome;
    both();
  });
  const otherAdded = otherCrowd?.add(call, (outcome) => {
    was = outcome;
    both();
  });
  if (added === undefined && otherAdded === undefined) return;
  return Promise.all([added, otherAdded]).then(() => {});
}
