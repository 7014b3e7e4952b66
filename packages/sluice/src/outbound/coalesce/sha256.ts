/** The first 32 bits of the fractional parts of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3). */
const primes = firstPrimes(64);
const CONSTANTS = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

const words = new Int32Array(64);
const BLOCK_UNITS = 32;
/** Of the last block the 64 bits of the length take four. */
const LENGTH_AT = BLOCK_UNITS - 4;

/**
 * SHA-256 (FIPS 180-4) of a text, as 64 hexadecimal digits, at once.
 *
 * The digest of WebCrypto is a promise: with it no call could join another in the turn in which it is made. The
 * text goes in as its UTF-16 code units, high byte first, not as UTF-8, in which all halves of surrogate pairs are
 * the same: different texts have different bytes.
 */
export function sha256(text: string): string {
  const hash = Int32Array.from(START);
  const { length } = text;
  const blocks = Math.floor((length + 4) / BLOCK_UNITS) + 1;
  const unitAt = (at: number): number => {
    if (at < length) return text.charCodeAt(at);
    if (at === length) return 0x8000;
    const place = at - (blocks - 1) * BLOCK_UNITS - LENGTH_AT;
    return place < 0 ? 0 : Math.floor((length * 16) / 2 ** (16 * (3 - place))) % 0x10000;
  };
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < 16; i++) {
      const at = block * BLOCK_UNITS + 2 * i;
      words[i] = (unitAt(at) << 16) | unitAt(at + 1);
    }
    mix(hash);
  }
  return Array.from(hash, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/** One block, which is in the first sixteen words. */
function mix(hash: Int32Array): void {
  for (let i = 16; i < 64; i++) {
    const early = words[i - 15]!;
    const late = words[i - 2]!;
    const s0 = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3);
    const s1 = rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10);
    words[i] = words[i - 16]! + s0 + words[i - 7]! + s1;
  }
  let [a, b, c, d, e, f, g, h] = hash as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const first = (h + s1 + ((e & f) ^ (~e & g)) + CONSTANTS[i]! + words[i]!) | 0;
    const s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  const mixed = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) hash[i] = hash[i]! + mixed[i]!;
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

function fraction(root: number): number {
  return Math.floor((root % 1) * 2 ** 32) | 0;
}

function firstPrimes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}
