import { emptyState, Mode, type State, type Step, step, type Verdict } from "../algorithms/algorithm.ts";
import type { LawCall, LawSubject } from "./law-subject.ts";

/** One call of a life, with what was before and after it. */
export interface Moment {
  readonly call: LawCall;
  readonly now: number;
  readonly before: State;
  readonly taken: Step;
  readonly after: State;
}

/** Where lives begin: in the year 2026, late enough to set the clock back from. */
const START = 1_767_225_600_000_000;

/** Live through the calls, one after the other. */
export function* walk({ algorithm }: LawSubject, calls: readonly LawCall[]): Generator<Moment> {
  let state: State = emptyState(algorithm);
  let now = START;
  let retryAfter = 0;
  for (const call of calls) {
    now += call.wait + (call.isPatient && retryAfter !== Infinity ? retryAfter : 0);
    const taken = step(algorithm, state, now, call.cost);
    const isUndone = call.isUndone && taken.allowed && call.cost > 0;
    const after = isUndone
      ? step(algorithm, taken.state, now, -call.cost, Mode.take, taken.receipt).state
      : taken.state;
    yield { call: { ...call, isUndone }, now, before: state, taken, after };
    state = after;
    retryAfter = taken.retryAfter;
  }
}

/** What a key can see of its state: what it would be told for small and large costs. */
export function outlook(subject: LawSubject, state: State, now: number): readonly Verdict[] {
  const { algorithm } = subject;
  const { remaining } = step(algorithm, state, now, 0, Mode.peek);
  const costs = new Set([0, 1, remaining, remaining + 1, algorithm.capacity]);
  return [...costs].map((cost) => {
    const { state: _, receipt: __, ...verdict } = step(algorithm, state, now, cost, Mode.peek);
    return { ...verdict, receipt: 0 };
  });
}

/** Whether two outlooks are the same, where `blur` microseconds make no difference. */
export function isSame(a: readonly Verdict[], b: readonly Verdict[], blur = 0): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i]!;
      return (
        one.allowed === other.allowed &&
        one.remaining === other.remaining &&
        isNear(one.retryAfter, other.retryAfter, blur) &&
        isNear(one.resetAfter, other.resetAfter, blur)
      );
    })
  );
}

const isNear = (a: number, b: number, blur: number): boolean => a === b || Math.abs(a - b) <= blur;
