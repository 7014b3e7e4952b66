import type { LimitHistory } from "../../src/admin/live/history.ts";

/** What a limit would have done to one key. */
export interface Replayed {
  readonly key: string;
  /** Units asked for, and those of them that would have been refused. */
  readonly asked: number;
  readonly refused: number;
  /** Most units that were asked for within one period. */
  readonly peak: number;
  /** When it would have refused first, in milliseconds since 1970. @default never */
  readonly firstAt?: number;
  /** Units asked for within the period that ends with each slot. */
  readonly trailing: readonly number[];
}

/**
 * What a limit would have done to what was asked, to the nearest slot. It charges what it lets pass, as the real one does. What it cannot know: who is
 * refused asks differently afterwards.
 */
export function replay({ keys, from, slotMs, periodMs }: LimitHistory, limit: number): readonly Replayed[] {
  const slots = Math.max(1, Math.round(periodMs / slotMs));
  return keys.map(({ key, asked }) => {
    const passed: number[] = [];
    const trailing: number[] = [];
    let [charged, inPeriod, refused] = [0, 0, 0];
    let firstAt: number | undefined;
    asked.forEach((units, i) => {
      charged -= passed[i - slots] ?? 0;
      inPeriod += units - (asked[i - slots] ?? 0);
      const fits = Math.min(units, Math.max(0, limit - charged));
      charged += fits;
      passed.push(fits);
      trailing.push(inPeriod);
      if (fits === units) return;
      refused += units - fits;
      firstAt ??= from + i * slotMs;
    });
    const sum = asked.reduce((total, one) => total + one, 0);
    const about = { key, asked: sum, refused, peak: Math.max(0, ...trailing), trailing };
    return firstAt === undefined ? about : { ...about, firstAt };
  });
}
