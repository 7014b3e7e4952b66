import type { Store } from "../../limiter/store.ts";
import type { Starts, StartsOptions, UpstreamLimits } from "./starts.ts";

export interface RemoteStartsOptions extends StartsOptions, UpstreamLimits {
  readonly store: Store;
}
export function remoteStarts(_: RemoteStartsOptions): Starts {
  throw new Error("soon");
}
