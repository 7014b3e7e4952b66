import { shown } from "../../algorithms/numbers.ts";
import { type IpAddress, parseIpAddress, sharePrefix } from "./ip-address.ts";

/**
 * The proxies in front of this server, whose word about the client counts:
 * - `false`: none, the address of the connection is the client.
 * - a number: exactly so many, one behind the other. Only when nobody can reach this server around them.
 * - addresses and networks: `"10.0.0.0/8"`, `"2001:db8::7"`, or the names `"loopback"` and `"private"`.
 */
export type TrustProxy = false | number | string | readonly string[];

/** Whether the address is a trusted proxy, which stands `hop` proxies away (0: it is the connection's peer). */
export type IsTrusted = (address: IpAddress, hop: number) => boolean;

/** Hops looked at: enough for any real chain, so that a long header costs no more than a short one. */
export const MAX_HOPS = 32;

const NAMED: ReadonlyMap<string, readonly string[]> = new Map([
  ["loopback", ["127.0.0.0/8", "::1"]],
  [
    "private",
    ["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fe80::/10", "fc00::/7"],
  ],
]);

/** @throws TypeError or RangeError for `true`, a network of everybody, or what is no address. */
export function trustedProxies(trustProxy: TrustProxy): IsTrusted {
  if (trustProxy === false) return () => false;
  if (typeof trustProxy === "number") {
    if (!Number.isInteger(trustProxy) || trustProxy < 1 || trustProxy > MAX_HOPS) {
      throw new RangeError(
        `trustProxy as a number of proxies is from 1 to ${MAX_HOPS}, but it is ${shown(trustProxy)}.`,
      );
    }
    return (_address, hop) => hop < trustProxy;
  }
  const texts: unknown = [trustProxy].flat();
  if (!Array.isArray(texts) || texts.length === 0 || texts.some((text) => typeof text !== "string")) {
    throw new TypeError(
      `trustProxy is false, the number of proxies, or a list such as ["10.0.0.0/8"], but it is ${shown(trustProxy)}. ` +
        "To trust everyone would let every client choose its own address.",
    );
  }
  const networks = texts.flatMap((text: string) => NAMED.get(text) ?? [text]).map(parseNetwork);
  return (address) => networks.some((network) => sharePrefix(address, network.address, network.bits));
}

function parseNetwork(text: string): { readonly address: IpAddress; readonly bits: number } {
  const [base = "", suffix, ...rest] = text.split("/");
  const address = parseIpAddress(base);
  if (address === undefined || rest.length > 0) {
    throw new TypeError(`${shown(text)} in trustProxy is neither an address nor a network such as "10.0.0.0/8".`);
  }
  const width = base.includes(":") ? 128 : 32;
  const bits = suffix === undefined ? width : /^\d{1,3}$/.test(suffix) ? Number(suffix) : 0;
  if (bits < 1 || bits > width) {
    throw new RangeError(`${shown(text)} in trustProxy has a prefix that is not from 1 to ${width}.`);
  }
  return { address, bits: 128 - width + bits };
}
