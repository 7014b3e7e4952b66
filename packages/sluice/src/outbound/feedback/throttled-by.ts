import type { Statement } from "./statement.ts";

/**
 * Whether a response refuses because of a limit: 429 (RFC 6585); 503 that says for how long (RFC 9110); and 403 with a
 * time to wait or with nothing left, as GitHub answers.
 */
export function throttledBy(status: number, statement: Statement): boolean {
  if (status === 429) return true;
  if (status === 503) return closedForMs(statement) !== undefined;
  return status === 403 && (statement.retryAfterMs !== undefined || isUsedUp(statement));
}

/**
 * For how long a refused call says that nothing passes, in milliseconds from its arrival; undefined when it does not
 * say. `Retry-After` outranks the limits (draft-ietf-httpapi-ratelimit-headers); else the last reset of those used up.
 */
export function closedForMs({ retryAfterMs, limits }: Statement): number | undefined {
  if (retryAfterMs !== undefined) return retryAfterMs;
  const resets = limits.filter(isEmpty).map(({ resetAfterMs }) => resetAfterMs ?? -1);
  const last = Math.max(-1, ...resets);
  return last < 0 ? undefined : last;
}

const isEmpty = ({ remaining }: { readonly remaining?: number }): boolean => remaining === 0;
const isUsedUp = ({ limits }: Statement): boolean => limits.some(isEmpty);
