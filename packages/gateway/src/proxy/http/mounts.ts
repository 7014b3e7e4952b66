import type { Upstream } from "./upstream.ts";

/** A server behind the gateway, and where it is found here. */
export interface Mount {
  /** The path of its MCP endpoint at the gateway; `undefined`: the whole gateway is this server, path by path. */
  readonly path?: string | undefined;
  readonly upstream: Upstream;
}

/** Where a request goes. */
export interface Target {
  readonly mount: Mount;
  /** Path and query, as the server behind knows them. */
  readonly url: string;
}

/** RFC 9728 and RFC 8414 put the path of what they describe behind `/.well-known/NAME`. */
const WELL_KNOWN = /^(\/\.well-known\/[^/?#]+)(\/.*)$/s;

/**
 * Finds where requests go: to the mount with the longest path that they begin with. Paths are taken as they are written, and one that
 * climbs out of its mount goes nowhere.
 */
export function mountFinder(mounts: readonly Mount[]): (url: string) => Target | undefined {
  const whole = mounts.find(({ path }) => path === undefined);
  const byLength = mounts
    .filter((mount): mount is Mount & { readonly path: string } => mount.path !== undefined)
    .sort((a, b) => b.path.length - a.path.length);

  function within(url: string): Target | undefined {
    for (const mount of byLength) {
      if (!url.startsWith(mount.path)) continue;
      const rest = url.slice(mount.path.length);
      if (rest !== "" && !/^[/?#]/.test(rest)) continue;
      if (climbs(rest)) return undefined;
      return { mount, url: joined(mount.upstream.path, rest) };
    }
    return undefined;
  }

  return (url) => {
    if (whole !== undefined) return { mount: whole, url };
    const [, head, rest] = WELL_KNOWN.exec(url) ?? [];
    if (head === undefined || rest === undefined) return within(url);
    const found = within(rest);
    return found && { ...found, url: head + found.url };
  };
}

/** Whether a path goes up at any place, however that is written. */
function climbs(path: string): boolean {
  const [plain = ""] = path.split(/[?#]/, 1);
  return (
    /(^|[/\\])\.\.([/\\;]|$)/.test(plain.replaceAll(/%2e/gi, ".").replaceAll(/%(2f|5c)/gi, "/")) || /%25/.test(plain)
  );
}

const joined = (base: string, rest: string): string =>
  rest.startsWith("/") && base.endsWith("/") ? base + rest.slice(1) : base + rest;
