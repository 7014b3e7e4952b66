import type { LawCall, LawSubject } from "./law-subject.ts";

/**
 * A random life of a key, with a taste for the edges: waits of nothing, of a microsecond, of exactly
 * what was asked for or of the longest wait, each give or take a microsecond, and costs about the
 * capacity. Some lives are hasty: many calls within a fraction of the longest wait.
 *
 * @param random numbers from 0 to below 1, as `Math.random` gives them: bring a seeded source to repeat a failure
 */
export function lawCalls({ algorithm, longestWait }: LawSubject, random: () => number, count = 12): LawCall[] {
  const below = (end: number) => Math.floor(random() * end);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const pace = pick([1, 1, 30]);
  const aWait = (): number => {
    const scale = Math.ceil(longestWait / pace);
    const edge = pick([0, 0, 0, 1, 1, scale, Math.ceil(scale / 2), below(scale), below(scale)]);
    const some = random() < 0.2 ? Math.floor(scale ** random()) : edge;
    return Math.max(0, some + pick([0, 0, 0, -1, 1]));
  };
  const aCost = (): number => {
    const { capacity } = algorithm;
    const some = pick([1, 1, 1, 1, 2, Math.floor(capacity ** random()), Math.ceil(capacity / 3), capacity, 0]);
    return Math.max(0, some + pick([0, 0, 0, 0, 0, -1, 1]));
  };
  return Array.from({ length: count }, () => {
    const isPatient = random() < 0.3;
    return { wait: isPatient ? pick([0, 0, 1]) : aWait(), isPatient, cost: aCost(), isUndone: random() < 0.1 };
  });
}
