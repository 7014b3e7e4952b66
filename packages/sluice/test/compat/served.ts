import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A server on loopback that ends with the test. */
export interface Served {
  get(path?: string, headers?: Record<string, string>): Promise<Response>;
  /** The statuses of requests that come one after the other. */
  statuses(...paths: readonly string[]): Promise<number[]>;
  /** So many requests for one path, one after the other. */
  times(count: number, path?: string, headers?: Record<string, string>): Promise<number[]>;
}

/** Starts the server, unless it listens already. */
export async function served(server: Server): Promise<Served> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function get(path = "/", headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    await response.clone().arrayBuffer();
    return response;
  }

  async function statuses(...paths: readonly string[]): Promise<number[]> {
    const found: number[] = [];
    for (const path of paths) found.push((await get(path)).status);
    return found;
  }

  async function times(count: number, path = "/", headers: Record<string, string> = {}): Promise<number[]> {
    const found: number[] = [];
    for (let i = 0; i < count; i++) found.push((await get(path, headers)).status);
    return found;
  }

  return { get, statuses, times };
}
