// Calls the example over a real socket and checks what a client sees. Time stands still, so nothing depends on speed.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { manualClock } from "sluice/testing";
import { createApp } from "./app.ts";

const clock = manualClock();
const server = createServer(createApp({ clock })).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const { port } = server.address() as AddressInfo;

/** As the proxy sends it on: with the client's address at the end. */
const get = (path: string, client: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, { headers: { "x-forwarded-for": client, ...headers } });

try {
  const first = await get("/", "203.0.113.1");
  assert.equal(first.status, 200);
  assert.equal(first.headers.get("ratelimit"), '"per-second";r=4;t=1, "per-hour";r=19;t=3600');
  assert.equal(first.headers.get("ratelimit-policy"), '"per-second";q=5;w=1, "per-hour";q=20;w=3600');

  // A report costs 4: it fits, and then nothing else does.
  assert.equal((await get("/report", "203.0.113.1")).status, 200);
  const refused = await get("/", "203.0.113.1");
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "1");
  const problem = (await refused.json()) as { quota: string; retry_after_ms: number };
  assert.equal(problem.quota, "per-second");

  // Writing another address in front changes nothing; another client, a user's key and /health are free.
  assert.equal((await get("/", "6.6.6.6, 203.0.113.1")).status, 429);
  assert.equal((await get("/", "203.0.113.2")).status, 200);
  assert.equal((await get("/", "203.0.113.1", { "x-api-key": "ann" })).status, 200);
  assert.equal((await get("/health", "203.0.113.1")).headers.has("ratelimit"), false);

  // Waiting for as long as it was told is enough, to the millisecond.
  clock.advanceSync(problem.retry_after_ms - 1);
  assert.equal((await get("/", "203.0.113.1")).status, 429);
  clock.advanceSync(1);
  assert.equal((await get("/", "203.0.113.1")).status, 200);

  // The login has a limit of its own, and one network of IPv6 is one client.
  assert.equal((await get("/login", "2001:db8::1")).status, 200);
  assert.equal((await get("/login", "2001:db8::2")).status, 200);
  const login = await get("/login", "2001:db8::3");
  assert.equal(login.status, 429);
  assert.deepEqual(await login.json(), { error: "Too many logins. Try again in 60 s." });
  console.log("http-routes: as promised.");
} finally {
  server.close();
  server.closeAllConnections();
}
