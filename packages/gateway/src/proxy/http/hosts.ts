import type { IncomingMessage } from "node:http";
import type { Upstream } from "./upstream.ts";

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/i;

export const isLoopbackName = (name: string): boolean => LOOPBACK.test(name);

/**
 * Whether a request is meant for this gateway, by the name that it was sent to.
 *
 * A page in a browser can have its own name point to this machine (DNS rebinding), and so reach what listens on loopback. A server on this
 * machine is told the name and may look at it. For any other the gateway has to: on loopback it is then `localhost` alone, or what it is told.
 */
export function hostCheck(hosts: readonly string[] | undefined) {
  const allowed = hosts === undefined ? undefined : new Set(hosts.map((name) => name.toLowerCase()));
  return ({ headers, socket }: IncomingMessage, { seesHost }: Upstream): boolean => {
    const name = (headers.host ?? "").replace(/:\d*$/, "").toLowerCase();
    if (allowed !== undefined) return allowed.has(name);
    return seesHost || !isLocal(socket.localAddress) || isLoopbackName(name);
  };
}

const isLocal = (address = ""): boolean => /^(::ffff:)?127\.|^::1$/.test(address);
