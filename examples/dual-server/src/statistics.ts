import type { Decision } from "sluice";

/** Counts of decisions, for `/stats` and the summaries in the log. */
export interface Statistics {
  record(key: string, decisions: readonly Decision[], isAllowed: boolean): void;
  /** Everything counted since the start. */
  report(): Report;
}

interface Report {
  readonly allowed: number;
  readonly refused: number;
  /** By name of the quota: how often a call passed it, and how often it was the one that refused. */
  readonly quotas: Readonly<Record<string, { readonly allowed: number; readonly refused: number }>>;
  /** The keys with most calls; counts are upper bounds once more than 1000 keys have called. */
  readonly busiestKeys: readonly { readonly key: string; readonly calls: number }[];
}

const MAX_KEYS = 1000;
const SHOWN_KEYS = 10;

export function createStatistics(): Statistics {
  const quotas = new Map<string, { allowed: number; refused: number }>();
  const calls = new Map<string, number>();
  let allowed = 0;
  let refused = 0;

  /** Bounded as in "space-saving" (Metwally et al., 2005): a newcomer takes the place of the least busy key. */
  function count(key: string): void {
    let known = calls.get(key) ?? 0;
    if (known === 0 && calls.size >= MAX_KEYS) {
      const [least, its] = [...calls].reduce((a, b) => (b[1] < a[1] ? b : a));
      calls.delete(least);
      known = its;
    }
    calls.set(key, known + 1);
  }

  return {
    record(key, decisions, isAllowed) {
      count(key);
      if (isAllowed) allowed++;
      else refused++;
      for (const decision of decisions) {
        const counts = quotas.get(decision.quota) ?? { allowed: 0, refused: 0 };
        quotas.set(decision.quota, counts);
        if (!decision.allowed) counts.refused++;
        else if (isAllowed) counts.allowed++;
      }
    },
    report: () => ({
      allowed,
      refused,
      quotas: Object.fromEntries([...quotas].map(([name, counts]) => [name, { ...counts }])),
      busiestKeys: [...calls]
        .sort((a, b) => b[1] - a[1])
        .slice(0, SHOWN_KEYS)
        .map(([key, count]) => ({ key, calls: count })),
    }),
  };
}
