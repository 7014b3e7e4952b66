import { Answer, Mode, type State, step, type Verdict } from "../algorithms/algorithm.ts";
import type { LawCall, LawSubject } from "./law-subject.ts";
import { isSame, type Moment, outlook, walk } from "./law-walk.ts";

/** Something that is true of every rate limiting algorithm, whatever is asked of it. */
export interface Law {
  readonly name: string;
  /** Live through the calls and look. @throws Error that says what was found, if the law is broken. */
  check(calls: readonly LawCall[]): void;
}

/**
 * The laws that every {@link Algorithm} of rates keeps, for a test runner to drive with calls of its
 * own, or with those of `lawCalls`. They hold for any calls with waits and costs from 0.
 *
 * @example
 * for (const { name, check } of algorithmLaws(subject)) {
 *   test(name, () => { for (let i = 0; i < 10_000; i++) check(lawCalls(subject, Math.random)); });
 * }
 */
export function algorithmLaws(subject: LawSubject): readonly Law[] {
  const each = (name: string, look: (moment: Moment, subject: LawSubject) => void): Law => ({
    name,
    check(calls) {
      for (const moment of walk(subject, calls)) look(moment, subject);
    },
  });
  return [
    { name: "never over its bound in any window", check: (calls) => neverOver(subject, calls) },
    each("retryAfter is true to the microsecond", retryAfterIsTrue),
    each("as many as remaining pass, and not one more", remainingIsTrue),
    each("as good as new after resetAfter, and not before", freshAfterReset),
    each("handing back at once undoes a charge", refundUndoes),
    each("a charge that no longer counts gives nothing back", endedChargeGivesNothing),
    each("being refused changes nothing", refusalChangesNothing),
    each("looking changes nothing, and sees what taking does", peekChangesNothing),
    each("a clock that is set back frees nothing and locks nothing", clockSetBack),
    each("states and answers are safe integers, and given states stay as they are", wholeNumbers),
    each("in a slab of states it touches only its own", staysInItsCells),
  ];
}

function neverOver({ algorithm, bound }: LawSubject, calls: readonly LawCall[]): void {
  const passed: { now: number; units: number }[] = [];
  const subject = { algorithm, bound, longestWait: 0 };
  for (const { now, call, taken } of walk(subject, calls)) {
    if (!taken.allowed || call.isUndone) continue;
    passed.push({ now, units: call.cost });
    let units = 0;
    for (let i = passed.length - 1; i >= 0; i--) {
      units += passed[i]!.units;
      const span = now - passed[i]!.now;
      insist(units <= bound(span), () => `${units} units started within ${span} µs, but ${bound(span)} may`);
    }
  }
}

function retryAfterIsTrue({ now, call: { cost }, taken, after }: Moment, { algorithm }: LawSubject): void {
  const { retryAfter } = taken;
  insist(taken.allowed === (retryAfter === 0), () => `retryAfter is ${retryAfter} for allowed ${taken.allowed}`);
  insist((retryAfter === Infinity) === cost > algorithm.capacity, () => `retryAfter is ${retryAfter} for cost ${cost}`);
  const passesAfter = (wait: number) => step(algorithm, after, now + wait, cost, Mode.peek).allowed;
  if (taken.allowed) return;
  if (retryAfter === Infinity) {
    insist(!passesAfter(2 ** 51), () => "passed although it was told that it never would");
    return;
  }
  insist(passesAfter(retryAfter), () => `was told to wait ${retryAfter} µs, waited, and was refused`);
  for (const wait of [1, Math.floor(retryAfter / 3), Math.floor(retryAfter * 0.9), retryAfter - 1]) {
    if (wait < retryAfter) insist(!passesAfter(wait), () => `passes after ${wait} µs, but was told ${retryAfter}`);
  }
}

function remainingIsTrue({ now, call, taken, after }: Moment, { algorithm }: LawSubject): void {
  const { remaining } = step(algorithm, after, now, 0, Mode.peek);
  if (!call.isUndone)
    insist(remaining === taken.remaining, () => `${taken.remaining} were to remain, but ${remaining} do`);
  insist(step(algorithm, after, now, remaining, Mode.peek).allowed, () => `${remaining} do not pass`);
  insist(!step(algorithm, after, now, remaining + 1, Mode.peek).allowed, () => `${remaining + 1} pass`);
  let state = after;
  for (let i = 0; i < Math.min(remaining, 3); i++) {
    const one = step(algorithm, state, now, 1);
    insist(one.allowed && one.remaining === remaining - i - 1, () => `unit ${i + 1} of ${remaining} did not pass`);
    state = one.state;
  }
}

function freshAfterReset({ now, after }: Moment, subject: LawSubject): void {
  const { algorithm } = subject;
  const { resetAfter } = step(algorithm, after, now, 0, Mode.peek);
  const isFresh = (at: number) => algorithm.isFresh([...after], 0, at);
  insist(isFresh(now) === (resetAfter === 0), () => `isFresh disagrees with resetAfter ${resetAfter}`);
  insist(isFresh(now + resetAfter), () => `is not fresh ${resetAfter} µs later`);
  if (resetAfter > 0) insist(!isFresh(now + resetAfter - 1), () => `is fresh before ${resetAfter} µs have passed`);
  const later = now + resetAfter;
  const used = step(algorithm, after, later, 1);
  const fresh = step(algorithm, undefined, later, 1);
  for (const wait of [0, subject.longestWait]) {
    insist(
      isSame(outlook(subject, used.state, later + wait), outlook(subject, fresh.state, later + wait)),
      () => `decides otherwise than a new key ${resetAfter} µs later`,
    );
  }
}

function refundUndoes({ now, before, taken, call: { cost } }: Moment, subject: LawSubject): void {
  if (!taken.allowed || cost === 0) return;
  const expected = outlook(subject, before, now);
  for (const receipt of [0, taken.receipt]) {
    const undone = step(subject.algorithm, taken.state, now, -cost, Mode.take, receipt);
    insist(undone.allowed, () => "handing back was refused");
    insist(
      isSame(outlook(subject, undone.state, now), expected, subject.blur),
      () => `handing ${cost} back (receipt ${receipt}) did not undo the charge`,
    );
    const twice = step(subject.algorithm, undone.state, now, -cost, Mode.take, taken.receipt);
    insist(twice.remaining <= subject.algorithm.capacity, () => "handing back twice gave more than there is");
  }
}

/** A charge whose key has been as good as new since is over: its receipt is worth nothing to later charges. */
function endedChargeGivesNothing({ now, taken, after, call }: Moment, subject: LawSubject): void {
  if (!taken.allowed || call.cost === 0 || call.isUndone) return;
  const { algorithm } = subject;
  const later = now + taken.resetAfter;
  const next = step(algorithm, after, now + 1, 1);
  const used = step(algorithm, next.state, later, Math.max(1, algorithm.capacity - 2));
  const undone = step(algorithm, used.state, later, -call.cost, Mode.take, taken.receipt);
  insist(
    isSame(outlook(subject, undone.state, later), outlook(subject, used.state, later)),
    () => `handing back ${call.cost} that had returned ${taken.resetAfter} µs later gave units of a later charge`,
  );
}

function refusalChangesNothing({ now, before, taken }: Moment, subject: LawSubject): void {
  if (taken.allowed) return;
  for (const wait of [0, 1, taken.retryAfter === Infinity ? 0 : taken.retryAfter]) {
    insist(
      isSame(outlook(subject, taken.state, now + wait), outlook(subject, before, now + wait)),
      () => `a refusal changed what is decided ${wait} µs later`,
    );
  }
}

function peekChangesNothing({ now, before, taken, call: { cost } }: Moment, { algorithm }: LawSubject): void {
  const { state, ...seen } = step(algorithm, before, now, cost, Mode.peek);
  insist(String(state) === String(before), () => `looking changed [${before}] into [${state}]`);
  const { state: _, ...done } = taken;
  insist(isSame([seen], [done]), () => `looking saw ${shown(seen)}, but taking did ${shown(done)}`);
}

function clockSetBack({ now, after, call: { wait } }: Moment, subject: LawSubject): void {
  const { algorithm, longestWait } = subject;
  const { remaining } = step(algorithm, after, now, 0, Mode.peek);
  for (const back of [wait + 1, longestWait, 1_000_000 * longestWait]) {
    const then = now - Math.min(back, Math.floor(now / 2));
    const seen = step(algorithm, after, then, 0, Mode.peek);
    insist(seen.remaining <= remaining, () => `set back by ${back} µs, ${seen.remaining} remain, not ${remaining}`);
    const cost = back === longestWait ? 1 : algorithm.capacity;
    const asked = step(algorithm, after, then, cost);
    insist(
      asked.retryAfter <= longestWait,
      () => `set back by ${back} µs, a key waits ${asked.retryAfter} µs instead of at most ${longestWait}`,
    );
    const waited = step(algorithm, asked.state, then + asked.retryAfter, asked.allowed ? 0 : cost, Mode.peek);
    insist(waited.allowed, () => `set back by ${back} µs, retryAfter was not true`);
  }
}

function wholeNumbers({ now, before, taken, after, call: { cost } }: Moment, { algorithm }: LawSubject): void {
  const given = Object.freeze([...before]);
  const most = Number.MAX_SAFE_INTEGER;
  let state: State = after;
  for (const [units, mode] of [
    [cost, Mode.take],
    [cost, Mode.force],
    [most, Mode.take],
    [most, Mode.force],
    [most, Mode.force],
    [-cost, Mode.force],
    [-most, Mode.take],
  ] as const) {
    const next = step(algorithm, state, now, units, mode);
    checkWhole(next, algorithm.capacity);
    insist(next.state.every(Number.isSafeInteger), () => `the state [${next.state}] is not of safe integers`);
    state = next.state;
  }
  checkWhole(taken, algorithm.capacity);
  insist(taken.state.every(Number.isSafeInteger), () => `the state [${taken.state}] is not of safe integers`);
  step(algorithm, given, now, cost);
  insist(String(given) === String(before), () => "the given state was changed");
}

function checkWhole(verdict: Verdict, capacity: number): void {
  const { allowed, remaining, retryAfter, resetAfter, receipt } = verdict;
  const isWhole =
    typeof allowed === "boolean" &&
    remaining >= 0 &&
    remaining <= capacity &&
    retryAfter >= 0 &&
    resetAfter >= 0 &&
    [remaining, resetAfter, receipt].every(Number.isSafeInteger) &&
    (retryAfter === Infinity || Number.isSafeInteger(retryAfter));
  insist(isWhole, () => `the answer ${shown(verdict)} is not of whole numbers in range`);
}

function staysInItsCells({ now, before, taken, call: { cost } }: Moment, { algorithm }: LawSubject): void {
  const { width } = algorithm;
  if (width === 0) return;
  const slab = new Float64Array(3 * width).fill(7);
  slab.set(before, width);
  const answer = new Answer();
  algorithm.apply(slab, width, now, cost, Mode.take, 0, answer);
  const expected = [...new Array<number>(width).fill(7), ...taken.state, ...new Array<number>(width).fill(7)];
  insist(String([...slab]) === String(expected), () => `the slab became [${slab}] instead of [${expected}]`);
  insist(isSame([answer], [taken]), () => `in a slab the answer was ${shown(answer)} instead of ${shown(taken)}`);
}

function insist(isTrue: boolean, found: () => string): void {
  if (!isTrue) throw new Error(found());
}

const shown = (value: Verdict): string =>
  `{ allowed: ${value.allowed}, remaining: ${value.remaining}, retryAfter: ${value.retryAfter}, resetAfter: ${value.resetAfter} }`;
