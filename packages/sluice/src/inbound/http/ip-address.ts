/**
 * An IP address as eight groups of 16 bits. IPv4 addresses stand as `::ffff:a.b.c.d`, so that both
 * ways in which a socket writes them are one address.
 */
export type IpAddress = readonly number[];

/** Longer than any address with its brackets, zone and port: what is longer is not looked at. */
const MAX_TEXT = 100;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const IPV4_WITH_PORT = /^([\d.]+):\d{1,5}$/;
const BRACKETED = /^\[([^[\]]*)\](?::\d{1,5})?$/;
const ZONED = /^([^%]+)%[\w.:-]+$/;
const GROUP = /^[\da-f]{1,4}$/i;
const MAPPED = [0, 0, 0, 0, 0, 0xffff];
/** 64:ff9b::/96, the well-known prefix of NAT64 (RFC 6052). */
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0];

/**
 * The address in a text: `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]:443`, `fe80::1%eth0`.
 * Anything else (`unknown`, a host name, `010.0.0.1`, nothing) is `undefined`.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const trimmed = text.trim();
  const ipv6 = BRACKETED.exec(trimmed)?.[1];
  if (ipv6 !== undefined) return parseIpv6(withoutZone(ipv6));
  const ipv4 = IPV4_WITH_PORT.exec(trimmed)?.[1] ?? trimmed;
  return ipv4.includes(":") ? parseIpv6(withoutZone(ipv4)) : parseIpv4(ipv4);
}

function parseIpv4(text: string): IpAddress | undefined {
  if (!IPV4.test(text)) return undefined;
  const [a, b, c, d] = text.split(".").map(Number) as [number, number, number, number];
  return [...MAPPED, a * 256 + b, c * 256 + d];
}

const withoutZone = (text: string): string => ZONED.exec(text)?.[1] ?? text;

function parseIpv6(text: string): IpAddress | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const parts = halves.map((half, i) => groupsOf(half, i === halves.length - 1));
  const [head, tail] = parts;
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (tail === undefined) return head.length === 8 ? head : undefined;
  const missing = 8 - head.length - tail.length;
  return missing < 1 ? undefined : [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** Groups between colons; the last may be written as an IPv4 address. */
function groupsOf(half: string, isLast: boolean): number[] | undefined {
  if (half === "") return [];
  const texts = half.split(":");
  const groups: number[] = [];
  for (const [i, text] of texts.entries()) {
    if (GROUP.test(text)) {
      groups.push(Number.parseInt(text, 16));
      continue;
    }
    const embedded = isLast && i === texts.length - 1 ? parseIpv4(text) : undefined;
    if (embedded === undefined) return undefined;
    groups.push(embedded[6]!, embedded[7]!);
  }
  return groups;
}

/** Whether the first `bits` bits of two addresses are the same. */
export function sharePrefix(a: IpAddress, b: IpAddress, bits: number): boolean {
  for (let i = 0, left = bits; left > 0; i++, left -= 16) {
    if (((a[i]! ^ b[i]!) & maskOf(left)) !== 0) return false;
  }
  return true;
}

/**
 * Who the address belongs to, as text: an IPv4 address, or the network of an IPv6 address, such as
 * `2001:db8:0:ff00::/56`, because one customer has all addresses of a network and can use a new one for
 * every request.
 *
 * Addresses that only carry an IPv4 address (NAT64, RFC 6052; 6to4, RFC 3056) belong to that one.
 * Those that share a network by their nature (`::1`, `::`, `fe80::/10`) are themselves.
 */
export function networkOf(address: IpAddress, ipv6Prefix: number): string {
  if (sharePrefix(address, MAPPED, 96)) return ipv4Text(address[6]!, address[7]!);
  if (sharePrefix(address, NAT64, 96)) return ipv4Text(address[6]!, address[7]!);
  if (address[0] === 0x2002) return ipv4Text(address[1]!, address[2]!);
  const isLocal = address.slice(0, 4).every((group) => group === 0) || (address[0]! & 0xffc0) === 0xfe80;
  if (isLocal || ipv6Prefix === 128) return ipv6Text(address);
  return `${ipv6Text(address.map((group, i) => group & maskOf(ipv6Prefix - i * 16)))}/${ipv6Prefix}`;
}

/** Which bits of a group count when `bits` bits are left to count. */
const maskOf = (bits: number): number => (bits >= 16 ? 0xffff : bits <= 0 ? 0 : (0xffff << (16 - bits)) & 0xffff);

const ipv4Text = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;

/** RFC 5952, section 4: lower case, no leading zeros, the first longest run of zero groups as `::`. */
function ipv6Text(address: IpAddress): string {
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && address[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
  }
  const groups = address.map((group) => group.toString(16));
  if (start < 0) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}
