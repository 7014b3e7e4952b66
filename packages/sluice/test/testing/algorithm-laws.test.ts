import { type Algorithm, type Answer, fixedWindow, Mode, slidingWindow } from "sluice";
import { algorithmLaws, type LawSubject, lawCalls } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { seeded } from "../algorithms/subjects.ts";

type Apply = Algorithm["apply"];

const period = 1_000_000;
const window = slidingWindow({ limit: 4, periodMs: 1_000 });
const fixed = fixedWindow({ limit: 4, periodMs: 1_000 });

/** An algorithm with something done to it. */
function spoiled(algorithm: Algorithm, changes: Partial<Algorithm>): LawSubject {
  const { name, params, capacity, width, clock } = algorithm;
  const same = {
    name,
    params,
    capacity,
    width,
    clock,
    apply: algorithm.apply.bind(algorithm),
    isFresh: algorithm.isFresh.bind(algorithm),
  };
  return {
    algorithm: { ...same, ...changes },
    bound: (span) => 4 * (Math.floor(span / period) + (width === 0 ? 1 : 2)),
    longestWait: width === 0 ? period : 2 * period,
  };
}

/** `window`, whose answers are changed afterwards. */
function answering(change: (answer: Answer, cost: number) => void): LawSubject {
  return spoiled(window, {
    apply(cells, offset, now, cost, mode, receipt, answer) {
      window.apply(cells, offset, now, cost, mode, receipt, answer);
      change(answer, cost);
    },
  });
}

/** `window`, which is asked something else. */
function asking(change: (...args: Parameters<Apply>) => Parameters<Apply>): LawSubject {
  return spoiled(window, { apply: (...args) => window.apply(...change(...args)) });
}

/** The names of the laws that the subject breaks. */
function broken(subject: LawSubject): string[] {
  return algorithmLaws(subject)
    .filter(({ check }) => {
      try {
        for (let seed = 0; seed < 200; seed++) check(lawCalls(subject, seeded(seed)));
        return false;
      } catch {
        return true;
      }
    })
    .map(({ name }) => name);
}

it("finds nothing wrong with what is right", () => {
  expect(broken(spoiled(window, {}))).toEqual([]);
  expect(broken(spoiled(fixed, {}))).toEqual([]);
});

describe("finds out an algorithm that", () => {
  it.each([
    [
      "lets units return too early",
      "never over its bound in any window",
      asking((cells, offset, now, ...rest) => [cells, offset, Math.floor(now * 1.01), ...rest]),
    ],
    [
      "promises a time that is too early",
      "retryAfter is true to the microsecond",
      answering((answer) => {
        if (answer.retryAfter > 1) answer.retryAfter--;
      }),
    ],
    [
      "promises a time that is too late",
      "retryAfter is true to the microsecond",
      answering((answer) => {
        if (answer.retryAfter > 0) answer.retryAfter++;
      }),
    ],
    [
      "promises a unit too much",
      "as many as remaining pass, and not one more",
      answering((answer) => {
        if (answer.remaining === 3) answer.remaining = 4;
      }),
    ],
    [
      "forgets too early",
      "as good as new after resetAfter, and not before",
      spoiled(window, { isFresh: (cells, offset, now) => window.isFresh(cells, offset, now + 1) }),
    ],
    [
      "hands back too little",
      "handing back at once undoes a charge",
      asking((cells, offset, now, cost, ...rest) => [cells, offset, now, cost < -1 ? cost + 1 : cost, ...rest]),
    ],
    [
      "hands back what has returned",
      "a charge that no longer counts gives nothing back",
      asking((cells, offset, now, cost, mode, _receipt, answer) => [cells, offset, now, cost, mode, 0, answer]),
    ],
    [
      "charges the refused",
      "being refused changes nothing",
      spoiled(fixed, {
        apply(cells, offset, now, cost, mode, receipt, answer) {
          fixed.apply(cells, offset, now, cost, mode, receipt, answer);
          if (!answer.allowed && mode === Mode.take) cells[offset + 1] = cells[offset + 1]! + 5;
        },
      }),
    ],
    [
      "charges for looking",
      "looking changes nothing, and sees what taking does",
      asking((cells, offset, now, cost, mode, ...rest) => [
        cells,
        offset,
        now,
        cost,
        mode === Mode.peek && cost === 1 ? Mode.take : mode,
        ...rest,
      ]),
    ],
    [
      "waits for a clock that was set back",
      "a clock that is set back frees nothing and locks nothing",
      spoiled(fixed, {
        apply(cells, offset, now, cost, mode, receipt, answer) {
          fixed.apply(cells, offset, now, cost, mode, receipt, answer);
          if (!answer.allowed && cost <= 4) answer.retryAfter = Math.max(answer.retryAfter, 3 * period);
        },
      }),
    ],
    [
      "answers in fractions",
      "states and answers are safe integers, and given states stay as they are",
      answering((answer) => {
        answer.resetAfter /= 7;
      }),
    ],
    [
      "writes beside its cells",
      "in a slab of states it touches only its own",
      spoiled(fixed, {
        apply(cells, offset, now, cost, mode, receipt, answer) {
          fixed.apply(cells, offset, now, cost, mode, receipt, answer);
          if (cells.length > 2) cells[0] = 1;
        },
      }),
    ],
  ])("%s", (_what, law, subject) => {
    expect(broken(subject)).toContain(law);
  });
});
