import { sha256 } from "./sha256.ts";

export interface CoalesceKeyParts {
  readonly upstream: string;
  /** Who shares. Calls without a tenant share with each other, and with no tenant, not even one named "". */
  readonly tenant?: string | undefined;
  /** The caller's own key: what makes two calls equal. */
  readonly key: string;
}

/**
 * What calls are coalesced by: equal for equal calls of one tenant to one upstream, and for no others.
 *
 * It is a SHA-256 of the parts, whose lengths go before them so that no two lists of parts are one text. A hash has
 * three advantages over the text: what is secret in a key or a name is not kept, a key of a megabyte takes no more
 * memory than a short one, and the key may leave the process.
 *
 * @throws TypeError for a key or a tenant that is not a text.
 */
export function coalesceKey({ upstream, tenant, key }: CoalesceKeyParts): string {
  if (typeof key !== "string") throw new TypeError(`A key to coalesce by is a text, but it is ${typeof key}.`);
  if (tenant !== undefined && typeof tenant !== "string") {
    throw new TypeError(`A tenant is a text, but it is ${typeof tenant}.`);
  }
  const whose = tenant === undefined ? "-" : `${tenant.length}:${tenant}`;
  return sha256(`${upstream.length}:${upstream}${whose}${key}`);
}
