import { shown } from "../../algorithms/numbers.ts";
import type { Upstream } from "../upstream.ts";
import type { AnyUpstreams } from "../upstreams.ts";

/**
 * Which hosts belong to which upstream: `{ "api.coingecko.com": "coingecko", "*.alchemy.com": "alchemy" }`.
 *
 * A host without a port means all its ports. `*.` stands for one name or several before the rest, which itself is not
 * meant. Of several that fit, a host with its port goes before one without, and that before the longest with `*.`.
 */
export type Hosts<U extends AnyUpstreams> = Readonly<Record<string, Exclude<keyof U, keyof AnyUpstreams>>>;

/** The upstream of a URL. Undefined: its host is not limited. */
export type HostRoutes = (url: string | URL | undefined) => Upstream | undefined;

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "ws:": "80", "https:": "443", "wss:": "443" };

/**
 * Looks hosts up.
 *
 * @throws RangeError for what is no host; TypeError for an upstream that there is not
 */
export function hostRoutes<U extends AnyUpstreams>(upstreams: U, hosts: Hosts<U>): HostRoutes {
  const exact = new Map<string, Upstream>();
  /** By what follows the star: `.alchemy.com`. */
  const below = new Map<string, Upstream>();
  for (const [pattern, name] of Object.entries(hosts)) {
    const upstream = upstreams[name as keyof U] as Upstream;
    const isWild = pattern.startsWith("*.");
    const host = hostOf(isWild ? pattern.slice(2) : pattern);
    if (host === undefined) {
      throw new RangeError(
        `A host is written as "api.example.com", "api.example.com:8080" or "*.example.com", but it is ${shown(pattern)}.`,
      );
    }
    if (isWild) below.set(`.${host}`, upstream);
    else exact.set(host, upstream);
  }

  function underStar(name: string): Upstream | undefined {
    for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
      const found = below.get(name.slice(dot));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  return (given) => {
    const url = urlOf(given);
    if (url === undefined) return undefined;
    const name = withoutDot(url.hostname);
    const port = url.port || DEFAULT_PORTS[url.protocol];
    return exact.get(`${name}:${port}`) ?? exact.get(name) ?? underStar(`${name}:${port}`) ?? underStar(name);
  };
}

/** A host as URLs write it, with its port if it has one. */
function hostOf(pattern: string): string | undefined {
  // The scheme must be one whose hosts are normalised; it would drop its own port.
  const url = /[/?#@\s*]/.test(pattern) ? undefined : urlOf(`ftp://${pattern}`);
  if (url === undefined) return undefined;
  const port = /:(\d+)$/.exec(pattern)?.[1];
  const name = withoutDot(url.hostname);
  return port === undefined ? name : `${name}:${Number(port)}`;
}

/** "example.com." is the same name. */
const withoutDot = (name: string): string => (name.endsWith(".") ? name.slice(0, -1) : name);

function urlOf(given: string | URL | undefined): URL | undefined {
  if (given === undefined || given instanceof URL) return given;
  return URL.canParse(given) ? new URL(given) : undefined;
}
