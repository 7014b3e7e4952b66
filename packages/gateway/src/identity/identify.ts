import type { IncomingMessage } from "node:http";
import { BlockList, isIPv6 } from "node:net";
import type { AuthInfoLike, Origin } from "sluice/mcp";
import { type ClientAddressOptions, clientAddressOf } from "sluice/node";
import type { Logger } from "../log.ts";
import { type ApiKeysOptions, apiKeyReader } from "./api-keys.ts";
import { type BearerOptions, bearerReader } from "./bearer.ts";

export interface IdentityOptions {
  /** Nobody is let in whom nothing verifies. @default everybody is, under the limits of an address */
  readonly required?: boolean | undefined;
  readonly bearer?: Omit<BearerOptions, "log"> | undefined;
  readonly apiKeys?: ApiKeysOptions | undefined;
  /** A header in which a proxy says who the client is, believed only when it comes from these addresses. */
  readonly trustedHeader?: { readonly header: string; readonly from: readonly string[] } | undefined;
  /** Proxies that say in `X-Forwarded-For` where a client is. */
  readonly trustProxy?: ClientAddressOptions["trustProxy"] | undefined;
}

/** Who sends a request. Without a verified principal it is the address. */
export type Identify = (request: IncomingMessage) => Promise<Pick<Origin, "authInfo" | "address">>;

/**
 * In this order: a verified token, an API key, the header of a trusted proxy. What is not verified chooses neither a key nor
 * a tier: with it, a client is whom its address says.
 *
 * @throws what is wrong with options
 */
export function identifier(options: IdentityOptions, log: Logger): Identify {
  const { bearer, apiKeys, trustedHeader, trustProxy = false } = options;
  const addressOf = clientAddressOf({ trustProxy });
  const readers: ((request: IncomingMessage) => AuthInfoLike | undefined | Promise<AuthInfoLike | undefined>)[] = [];
  if (bearer !== undefined) readers.push(bearerReader({ ...bearer, log }));
  if (apiKeys !== undefined) readers.push(apiKeyReader(apiKeys));
  if (trustedHeader !== undefined) readers.push(trustedHeaderReader(trustedHeader));
  return async (request) => {
    const address = addressOf(request);
    for (const read of readers) {
      const authInfo = await read(request);
      if (authInfo !== undefined) return { authInfo, address };
    }
    return { address };
  };
}

function trustedHeaderReader({ header, from }: NonNullable<IdentityOptions["trustedHeader"]>) {
  const proxies = networks(from);
  const name = header.toLowerCase();
  return ({ headers, socket }: IncomingMessage): AuthInfoLike | undefined => {
    const value = headers[name];
    if (typeof value !== "string" || value === "") return undefined;
    const peer = (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
    return proxies.check(peer, isIPv6(peer) ? "ipv6" : "ipv4") ? { clientId: `header:${value}` } : undefined;
  };
}

/** @throws TypeError for what is no address or network */
function networks(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = "", prefix] = text.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    try {
      list.addSubnet(address, Number(prefix ?? (family === "ipv6" ? 128 : 32)), family);
    } catch (cause) {
      throw new TypeError(`${JSON.stringify(text)} is neither an address nor a network such as "10.0.0.0/8".`, {
        cause,
      });
    }
  }
  return list;
}
