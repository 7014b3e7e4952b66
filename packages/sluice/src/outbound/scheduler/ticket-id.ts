/** A name that no other call has: 48 random bits, not all zero. */
export function ticketId(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return 1 + (high! & 0xffff) * 2 ** 32 + low!;
}
