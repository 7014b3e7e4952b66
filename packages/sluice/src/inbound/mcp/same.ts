/** A short text that is the same for equal values, whatever the order of their members, and hardly ever for others. */
export function fingerprintOf(value: unknown): string {
  return hash(JSON.stringify(value, sorted) ?? "undefined");
}

/** Members in the order of their names. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** 53 bits of two multiplicative hashes. Nobody gains by two values with one hash: the second would only be taken for the first. */
function hash(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2_654_435_761);
    b = Math.imul(b ^ code, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return (4_294_967_296 * (2_097_151 & b) + (a >>> 0)).toString(36);
}

/** What a server says beside its result, such as times, makes no other result of it. */
export function withoutMeta(result: unknown): unknown {
  if (typeof result !== "object" || result === null || !("_meta" in result)) return result;
  const { _meta, ...rest } = result;
  return rest;
}
