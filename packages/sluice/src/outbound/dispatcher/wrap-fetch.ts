import type { AnyUpstreams } from "../upstreams.ts";
import { type Hosts, hostRoutes } from "./host-routes.ts";

/**
 * A `fetch` whose requests are limited by their host, for code that takes one and cannot be changed otherwise. Requests to
 * hosts that are not named pass untouched, and so do those to other hosts that redirects lead to.
 *
 * Requests are made as `upstream.fetch` makes them, with retries where they may be repeated. Do not name a host here that
 * is limited in another way, too, as with `limitHosts`: each of them would take units.
 *
 * @param fetcher makes the requests. @default that of the upstream; for other hosts, the platform's
 *
 * @example
 * const client = new Client({ fetch: wrapFetch(upstreams, { "api.coingecko.com": "coingecko" }) });
 *
 * @throws RangeError for what is no host; TypeError for an upstream that there is not
 */
export function wrapFetch<U extends AnyUpstreams>(upstreams: U, hosts: Hosts<U>, fetcher?: typeof fetch): typeof fetch {
  const upstreamOf = hostRoutes(upstreams, hosts);
  return (input: string | URL | Request, init?: RequestInit) => {
    const upstream = upstreamOf(input instanceof Request ? input.url : input);
    if (upstream !== undefined) return upstream.fetch(input, init, { fetch: fetcher });
    return fetcher === undefined ? fetch(input, init) : fetcher(input, init);
  };
}
