import { shown, wholeNumber } from "../../algorithms/numbers.ts";
import { type ForwardedHeader, forwardedHops } from "./forwarded.ts";
import { type IpAddress, networkOf, parseIpAddress } from "./ip-address.ts";
import { type TrustProxy, trustedProxies } from "./trusted-proxies.ts";

export interface ClientAddressOptions {
  /**
   * The proxies in front of this server: `false`, how many, or their addresses. Only these are believed
   * about who the client is.
   *
   * @default false; while it is left out, a warning tells once when requests come through a proxy
   */
  readonly trustProxy?: TrustProxy;
  /** The header that these proxies write. @default "x-forwarded-for" */
  readonly forwardedHeader?: ForwardedHeader;
  /**
   * Bits of an IPv6 address that make one client, 32 to 128: a customer usually has a /56, and with it
   * more addresses than anyone can count.
   *
   * @default 56
   */
  readonly ipv6Prefix?: number;
}

/** Thrown when a request has no address that could be told from others: it would share its limit with strangers. */
export class ClientAddressError extends Error {
  override readonly name = "ClientAddressError";
  /** Stable: branch on this, not on the message. */
  readonly code = "CLIENT_ADDRESS_UNKNOWN";
}

/** Reads one header of a request. */
export type HeaderOf<R> = (request: R, name: ForwardedHeader) => string | readonly string[] | null | undefined;

/**
 * The client of a request, by its address: `192.0.2.1` or `2001:db8::/56`.
 *
 * @throws ClientAddressError when the address cannot be told.
 */
export type ClientAddress<R> = (request: R, peer: string | null | undefined) => string;

/** Peers whose network is remembered. */
const MAX_REMEMBERED = 1024;
/** A proxy shows in the first requests; later ones are not looked at, which saves reading their headers. */
const REQUESTS_TO_WATCH = 1000;

const HOW_TO_FIX =
  "Give rateLimit `key` to choose another key, or `address` to say where the address is found; behind a proxy set `trustProxy`.";

/**
 * Reads client addresses: from the connection's peer, or from the header of trusted proxies.
 *
 * @param format what to make of an address; is done once for a peer that comes again.
 */
export function clientAddress<R>(
  headerOf: HeaderOf<R>,
  { trustProxy, forwardedHeader = "x-forwarded-for", ipv6Prefix = 56 }: ClientAddressOptions = {},
  format: (network: string) => string = (network) => network,
): ClientAddress<R> {
  if (wholeNumber("ipv6Prefix", ipv6Prefix, 32) > 128) {
    throw new RangeError(`ipv6Prefix must be a whole number from 32 to 128, but it is ${ipv6Prefix}.`);
  }
  if (forwardedHeader !== "x-forwarded-for" && forwardedHeader !== "forwarded") {
    throw new TypeError(
      `forwardedHeader must be "x-forwarded-for" or "forwarded", but it is ${shown(forwardedHeader)}.`,
    );
  }
  const isTrusted = trustedProxies(trustProxy ?? false);
  const warnings = new Set<string>();
  const networks = new Map<string, string>();
  let toWatch = trustProxy === undefined ? REQUESTS_TO_WATCH : 0;

  const named = (address: IpAddress): string => format(networkOf(address, ipv6Prefix));

  function ofPeer(request: R, peer: string | null | undefined): string {
    if (toWatch > 0) watch(request);
    let network = networks.get(peer as string);
    if (network === undefined) {
      network = named(parsed(peer, "The peer address of the connection"));
      if (networks.size >= MAX_REMEMBERED) networks.clear();
      networks.set(peer as string, network);
    }
    return network;
  }

  function watch(request: R): void {
    toWatch--;
    if (!headerOf(request, "x-forwarded-for") && !headerOf(request, "forwarded")) return;
    toWatch = 0;
    warn(
      "a request names the client behind a proxy (X-Forwarded-For or Forwarded), but `trustProxy` is not set, so all clients of " +
        "a proxy share one limit. Set `trustProxy` to the proxy's address, or to false if there is none.",
    );
  }

  function ofForwarded(request: R, peer: string | null | undefined): string {
    let client = parsed(peer, "The peer address of the connection");
    if (!isTrusted(client, 0)) return named(client);
    const given = headerOf(request, forwardedHeader);
    const header = typeof given === "object" && given !== null ? given.join(",") : (given ?? "");
    if (header === "") {
      warn(
        `a trusted proxy sent no ${forwardedHeader} header, so its own address is taken for the client's. If that is not a ` +
          "health check, all clients of that proxy share one limit.",
      );
      return named(client);
    }
    for (const [i, hop] of forwardedHops(forwardedHeader, header).entries()) {
      client = parsed(hop, `What a trusted proxy wrote into the ${forwardedHeader} header`);
      if (!isTrusted(client, i + 1)) break;
    }
    return named(client);
  }

  function warn(text: string): void {
    if (warnings.has(text)) return;
    warnings.add(text);
    console.warn(`sluice: ${text}`);
  }

  return trustProxy === undefined || trustProxy === false ? ofPeer : ofForwarded;
}

function parsed(text: string | null | undefined, what: string): IpAddress {
  const address = typeof text === "string" ? parseIpAddress(text) : undefined;
  if (address !== undefined) return address;
  throw new ClientAddressError(
    `${what} is no IP address but ${shown(text)}, so this client cannot be told from others. ${HOW_TO_FIX}`,
  );
}
