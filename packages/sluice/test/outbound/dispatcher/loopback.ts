import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { vi } from "vitest";

/** A server on loopback that notes the paths it was asked for. */
export async function loopback(answer: (request: IncomingMessage, response: ServerResponse) => void = () => {}) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.url!);
    answer(request, response);
    if (!response.headersSent && request.url !== "/never") response.end(`said ${request.url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    seen,
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Waits for what happens in its own time, on a socket or another process. */
export const until = (isSo: () => boolean) => vi.waitUntil(isSo, { timeout: 10_000, interval: 5 });
