import { createHmac, randomBytes } from "node:crypto";

/** Makes names that say who is the same, and not who it is: without the secret nobody can try out whose they are. */
export interface Hasher {
  /** 96 bits of an HMAC, as text. */
  hash(kind: string, text: string): string;
  /** Whether this name is in the sample: always the same for one name. */
  isSampled(kind: string, text: string): boolean;
}

interface Known {
  readonly text: string;
  readonly isSampled: boolean;
}

/** Names that are kept ready. */
const KEPT = 10_000;
const BYTES = 12;

/** @param sample which part of all names, from 0 to 1 */
export function hasher(secret: string | undefined, sample: number): Hasher {
  const key = secret ?? randomBytes(32);
  // Two generations: what is not asked for while one fills up is forgotten with the other.
  let known = new Map<string, Known>();
  let earlier = new Map<string, Known>();

  function lookUp(kind: string, text: string): Known {
    const name = `${kind}\0${text}`;
    let found = known.get(name);
    if (found !== undefined) return found;
    found = earlier.get(name);
    if (found === undefined) {
      const bytes = createHmac("sha256", key).update(name).digest();
      // Other bytes than those that are shown, so that a sample does not look like one.
      const isSampled = bytes.readUInt32BE(BYTES) < sample * 2 ** 32;
      found = { text: bytes.subarray(0, BYTES).toString("base64url"), isSampled };
    }
    if (known.size >= KEPT / 2) {
      earlier = known;
      known = new Map();
    }
    known.set(name, found);
    return found;
  }

  return {
    hash: (kind, text) => lookUp(kind, text).text,
    isSampled: (kind, text) => sample >= 1 || lookUp(kind, text).isSampled,
  };
}
