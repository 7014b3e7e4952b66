import { createHash } from "node:crypto";
import type { Account } from "../../limiter/store.ts";

/** Longer names are stored as their hash: what clients send must not decide how large the file is. */
const MAX_LENGTH = 160;

/** Half of a character, which UTF-8 cannot tell from any other half. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The bytes under which an account is stored: its own text as far as possible, so that people can
 * read the file. Bytes, because SQLite's text ends at a NUL in some versions. The length of the space
 * keeps `a` + `bc` apart from `ab` + `c`.
 */
export function accountName({ ledger: { space }, key }: Account): Buffer {
  const text = `${space.length}:${space}${key}`;
  if (text.length <= MAX_LENGTH && !LONE_SURROGATE.test(text)) return Buffer.from(text);
  const digest = createHash("sha256").update(Buffer.from(text, "utf16le")).digest();
  return Buffer.concat([Buffer.from("#"), digest]);
}
