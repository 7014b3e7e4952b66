import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { memoryStore } from "sluice";
import { createUpstreams } from "sluice/outbound";
import { expect, it } from "vitest";

it("sends a body that is a stream once, and hands over what the upstream said to it", async () => {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    response.writeHead(429, { "retry-after": "0" }).end("too fast");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const upstreams = createUpstreams({ api: { retry: { attempts: 3, baseMs: 0, capMs: 0 } } }, { store: memoryStore() });
  const body = new ReadableStream({
    start(stream) {
      stream.enqueue(new TextEncoder().encode("once"));
      stream.close();
    },
  });
  const init = { method: "PUT", body, duplex: "half" } as RequestInit;
  const response = await upstreams.api.fetch(`http://127.0.0.1:${port}/`, init);
  expect([response.status, await response.text()]).toEqual([429, "too fast"]);
  expect(bodies).toEqual(["once"]);

  await upstreams.api.fetch(`http://127.0.0.1:${port}/`, { method: "PUT", body: "again" });
  expect(bodies).toEqual(["once", "again", "again", "again"]);
  await upstreams.close();
  server.close();
});
