// Puts the server in app.ts through the tests that the published example describes, and through those that it would
// not pass. Time is a clock that is told to move, so nothing waits.
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createLimiter, memoryStore } from "sluice";
import { readRefusal } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { createApp } from "./app.ts";

const clock = manualClock();
const store = memoryStore({ clock });

// Its unit tests: check_and_record(client_id, limit, window)
const checkAndRecord = (client: string, limit: number, window: number) =>
  createLimiter({ quota: `${limit}/${window}s`, store, name: "service" }).consume(client);
assert.deepEqual(
  [1, 2, 3, 4].map(() => checkAndRecord("client1", 3, 10).allowed),
  [true, true, true, false],
);
assert.equal(checkAndRecord("client2", 3, 10).allowed, true);
assert.equal(checkAndRecord("client1", 3, 10).retryAfterMs, 10_000);
console.log("check_and_record: three of four pass, and clients are apart.");

const server = createApp(store);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
try {
  await testHttp();
  await testTools();
} finally {
  server.closeAllConnections();
  server.close();
}

/** Its loop of 25 requests, half a second apart. */
async function testHttp(): Promise<void> {
  const statuses: number[] = [];
  let last: Response | undefined;
  for (let i = 0; i < 25; i++) {
    last = await fetch(i % 2 === 0 ? base : `${base}/stats`);
    statuses.push(last.status);
    clock.advanceSync(500);
  }
  assert.deepEqual(statuses, [...new Array(20).fill(200), ...new Array(5).fill(429)]);
  assert.equal(last?.headers.get("x-ratelimit-limit"), "20");
  assert.equal(last?.headers.get("retry-after"), "48");
  assert.equal((await fetch(`${base}/health`)).status, 200);
  clock.advanceSync(60_000);
  assert.equal((await fetch(base)).status, 200);
  console.log("HTTP: 20 of 25 requests pass, the health check always does.");
}

/** Its MCP test: three calls pass, the fourth is limited. */
async function testTools(): Promise<void> {
  const client = new Client({ name: "example", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${base}/mcp`)));
  const getTime = () => client.callTool({ name: "get_time", arguments: {} });
  const heavy = () => client.callTool({ name: "heavy_operation", arguments: { data: "abc" } });

  for (let i = 0; i < 3; i++) assert.equal(readRefusal(await heavy()), undefined);
  for (let i = 0; i < 3; i++) assert.equal(readRefusal(await getTime()), undefined);
  const refused = await getTime();
  assert.equal(refused.isError, true);
  assert.deepEqual(readRefusal(refused), {
    rate_limited: true,
    retryAfterMs: 10_000,
    limit: 3,
    remaining: 0,
    quota: "tools.get_time.per-10-seconds",
  });
  console.log("MCP:", (refused.content as { text: string }[])[0]?.text);

  // One list of times for all tools of a session would have lost the calls of heavy_operation by now, and counted
  // those of get_time instead.
  clock.advanceSync(10_000);
  assert.equal(readRefusal(await getTime()), undefined);
  for (let i = 0; i < 7; i++) assert.equal(readRefusal(await heavy()), undefined);
  assert.equal(readRefusal(await heavy())?.retryAfterMs, 50_000);
  console.log("MCP: each tool has its own limit.");
  await client.close();
}
