import type { PolicyOptions, Verdict } from "./policies.ts";

/** What an answer says about the limit: `Retry-After` of a refusal, the old fields, or the structured ones of the IETF's draft. */
export type HeaderStyle = "Retry-After" | "X-RateLimit" | "RateLimit";

/** The header fields of an answer, in whole seconds rounded up, as servers send them. */
export function headersOf(
  styles: readonly HeaderStyle[],
  { limit, periodMs }: PolicyOptions,
  { allowed, remaining, nextNs }: Verdict,
): Record<string, string> {
  const seconds = Math.ceil(Number(nextNs) / 1e9);
  return {
    ...(styles.includes("Retry-After") && !allowed && { "Retry-After": `${seconds}` }),
    ...(styles.includes("X-RateLimit") && {
      "X-RateLimit-Limit": `${limit}`,
      "X-RateLimit-Remaining": `${remaining}`,
      "X-RateLimit-Reset": `${Math.ceil(Date.now() / 1000 + Number(nextNs) / 1e9)}`,
    }),
    ...(styles.includes("RateLimit") && {
      "RateLimit-Policy": `"oracle";q=${limit};w=${Math.ceil(periodMs / 1000)}`,
      RateLimit: `"oracle";r=${remaining};t=${seconds}`,
    }),
  };
}
