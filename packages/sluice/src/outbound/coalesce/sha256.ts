/** The first 32 bits of the fractional parts of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3). */
const primes = firstPrimes(64);
const CONSTANTS = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

const words = new Int32Array(64);
/** UTF-16 code units in a block of 64 bytes; of the last block the length of the text in bits takes the last four. */
const UNITS = 32;
const LENGTH_UNITS = 4;

/**
 * SHA-256 (FIPS 180-4) of a text, as 64 hexadecimal digits, at once.
 *
 * The digest of WebCrypto is a promise: with it no call could join another in the turn in which it is made. The
 * text goes in as its UTF-16 code units, high byte first, not as UTF-8, in which all halves of surrogate pairs are
 * the same: different texts have different bytes.
 */
export function sha256(text: string): string {
  const hash = START.slice();
  const { length } = text;
  const blocks = Math.floor((length + LENGTH_UNITS) / UNITS) + 1;
  for (let block = 0; block < blocks; block++) {
    const start = block * UNITS;
    for (let i = 0; i < 16; i++) {
      const at = start + 2 * i;
      words[i] = (unitAt(text, at) << 16) | unitAt(text, at + 1);
    }
    if (block === blocks - 1) {
      words[14] = Math.floor(length / 2 ** 28);
      words[15] = length << 4;
    }
    mix(hash);
  }
  let digits = "";
  for (const word of hash) digits += (word >>> 0).toString(16).padStart(8, "0");
  return digits;
}

/** The text, one bit, and zeros. */
function unitAt(text: string, at: number): number {
  return at < text.length ? text.charCodeAt(at) : at === text.length ? 0x8000 : 0;
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
  let a = hash[0]!;
  let b = hash[1]!;
  let c = hash[2]!;
  let d = hash[3]!;
  let e = hash[4]!;
  let f = hash[5]!;
  let g = hash[6]!;
  let h = hash[7]!;
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
  hash[0]! += a;
  hash[1]! += b;
  hash[2]! += c;
  hash[3]! += d;
  hash[4]! += e;
  hash[5]! += f;
  hash[6]! += g;
  hash[7]! += h;
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
