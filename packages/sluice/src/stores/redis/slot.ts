/** The slot of Redis Cluster that a key is in: CRC16 (XMODEM) of what its first braces hold, modulo 16384. */
export function slotOf(name: string): number {
  const open = name.indexOf("{");
  const close = name.indexOf("}", open + 1);
  const tag = open !== -1 && close > open + 1 ? name.slice(open + 1, close) : name;
  let crc = 0;
  for (const byte of Buffer.from(tag)) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ byte]!;
  return crc & 0x3fff;
}

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** Accounts by their slot, each group in the order given. */
export function bySlot<T>(accounts: readonly T[], slot: (account: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const account of accounts) {
    const number = slot(account);
    const group = groups.get(number);
    if (group === undefined) groups.set(number, [account]);
    else group.push(account);
  }
  return groups;
}
