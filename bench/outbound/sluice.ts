import type { Store } from "sluice";
import type { Caller, Rate } from "./contenders.ts";

export interface SluiceOptions extends Rate {
  /** @default the limit is kept as calls start */
  readonly anchor?: "start" | "end";
  /** @default this process alone */
  readonly store?: Store;
}

/** An upstream of Sluice, with room for as many waiting calls as a benchmark likes. */
export async function sluice({ limit, periodMs, anchor = "start", store }: SluiceOptions): Promise<Caller> {
  const { createUpstreams }: any = await import("sluice/outbound");
  const { api } = createUpstreams(
    { api: { limit: `${limit}/${periodMs}ms`, anchor, maxQueue: Infinity, maxWaitMs: Infinity } },
    store && { store },
  );
  return { run: (call, signal) => api.run(call, signal && { signal }) };
}
