import type { Store } from "../../limiter/store.ts";
import { sharedTerms } from "../limits.ts";
import { queueStarts } from "./queue-starts.ts";
import type { Starts, StartsOptions, UpstreamLimits } from "./starts.ts";
import { takeStarts } from "./take-starts.ts";

export interface RemoteStartsOptions extends StartsOptions, UpstreamLimits {
  readonly store: Store;
}

/** Starts calls over a store that has to be asked: in the line of all processes where it keeps one, else by asking for units. */
export function remoteStarts(options: RemoteStartsOptions): Starts {
  const terms = sharedTerms(options);
  if (options.store.queue === undefined) return takeStarts({ ...options, terms });
  return queueStarts({
    ...options,
    terms,
    meanwhile: (instead, renewal) => takeStarts({ ...options, terms, instead, renewal }),
  });
}
