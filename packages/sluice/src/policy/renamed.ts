import type { Quota } from "../limiter/quota.ts";

/** A quota named after its place among the limits, so that names differ within one answer. */
export function renamed(quota: Quota, where: string): Quota {
  const prefix = where
    .toLowerCase()
    .replaceAll("*", "other")
    .replaceAll(/[^a-z0-9_.-]/g, "-");
  return { ...quota, name: `${prefix}.${quota.name}` };
}
