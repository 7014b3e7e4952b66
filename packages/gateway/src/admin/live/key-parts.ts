import type { Config } from "../../config/schema.ts";
import type { KeyPartsOf } from "./decision-data.ts";

/** As the policy file says it: a policy has a `key`, every other limit is that of a client or of all. */
export function keyPartsOf({ policies = [] }: Pick<Config, "policies">): KeyPartsOf {
  const keys = new Map(policies.map(({ name, key = "client" }) => [name, [key].flat()]));
  return ({ policy, per }) => keys.get(policy) ?? [per];
}
