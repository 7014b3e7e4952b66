import fc from "fast-check";
import { algorithmLaws, lawCalls } from "sluice/testing";
import { describe, it } from "vitest";
import { seeded, subjects } from "./subjects.ts";

/** Lives long enough to fill a coarse log, and shorter where `Intl` is asked about every window. */
const CALLS: Readonly<Record<string, number>> = { "sliding window, coarse": 14, "fixed window of the calendar": 2 };

describe.each(Object.entries(subjects))("%s", (kind, subjectOf) => {
  const names = algorithmLaws(subjectOf(seeded(0))).map(({ name }) => name);

  it.each(names.map((name, i) => ({ name, i })))("$name", ({ i }) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seeded(seed);
        const subject = subjectOf(random);
        const calls = lawCalls(subject, random, CALLS[kind] ?? 8);
        try {
          algorithmLaws(subject)[i]!.check(calls);
        } catch (error) {
          throw new Error(`${subject.algorithm.params}: ${(error as Error).message}\n${JSON.stringify(calls)}`);
        }
      }),
      { numRuns: 10_000, endOnFailure: true },
    );
  });
});
