import { createHash } from "node:crypto";
import { shown } from "../../algorithms/numbers.ts";
import type { Account, Ledger } from "../../limiter/store.ts";

export interface KeyNamesOptions {
  readonly prefix: string;
  /** Accounts with the same tag are in the same slot of a Cluster. @default the key itself */
  readonly hashTag?: (key: string) => string;
}

/** What accounts are called in Redis. */
export interface KeyNames {
  of(account: Account): string;
  /** How the names begin of all accounts of a ledger that have this tag, and a key that is not the tag. */
  within(tag: string, ledger: Ledger): string;
  /** A key in the slot of a tag that is no account. */
  beside(tag: string, what: string): string;
  /** The key that is there while any key of a ledger of blocks is blocked. */
  marker(blocks: Ledger): string;
}

/** Short, printable ASCII that is not a hash, and without the braces that mean something to Redis Cluster. */
const PLAIN = /^[!-"$-z|~][!-z|~]{0,63}$/;

/**
 * `prefix{key}ledger`: the key as it is when it is short and printable, else `#` and a hash of it; and of the ledger
 * 8 characters of a hash. What stands in braces decides about the slot, so all quotas of one key are together.
 *
 * With a tag of its own, the account's or by option, the key comes last: `prefix{tag}ledger:key`.
 */
export function keyNames({ prefix, hashTag }: KeyNamesOptions): KeyNames {
  if (/[{}]/.test(prefix)) {
    throw new RangeError(`The prefix of a Redis store has no braces, but it is ${shown(prefix)}.`);
  }
  const ids = new WeakMap<Ledger, string>();
  const idOf = (ledger: Ledger): string => {
    let id = ids.get(ledger);
    if (id === undefined) {
      id = hash(ledger.space).slice(0, 8);
      ids.set(ledger, id);
    }
    return id;
  };
  const beside = (tag: string, what: string): string =>
    `${prefix}{${plain(hashTag === undefined ? tag : hashTag(tag))}}${what}`;
  const within = (tag: string, ledger: Ledger): string => beside(tag, `${idOf(ledger)}:`);
  return {
    of({ ledger, key, tag = key }) {
      if (tag === key && hashTag === undefined) return beside(key, idOf(ledger));
      return within(tag, ledger) + plain(key);
    },
    within,
    beside,
    marker: (blocks) => `${prefix}blocks:${idOf(blocks)}`,
  };
}

/** Whether a key stands in names as it is. */
export const isPlain = (key: string): boolean => PLAIN.test(key);

function plain(key: string): string {
  return isPlain(key) ? key : `#${hash(key).slice(0, 22)}`;
}

/** UTF-16, because UTF-8 cannot tell half of a character from any other half. */
function hash(text: string): string {
  return createHash("sha256").update(Buffer.from(text, "utf16le")).digest("base64url");
}
