// Two servers over one file, and somebody who guesses passwords at both. Checks what he sees, and what all others do.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLimiter } from "sluice";
import { sqliteStore } from "sluice/sqlite";
import { manualClock } from "sluice/testing";
import { createApp } from "./app.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-example-"));
const clock = manualClock();
const stores = [1, 2].map(() => sqliteStore({ path: join(folder, "limits.db"), clock }));
const servers = stores.map((store) => createServer(createApp(store)));
for (const server of servers) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

const login = (server: number, user: string, password: string) =>
  fetch(`http://127.0.0.1:${(servers[server]!.address() as AddressInfo).port}/login`, {
    method: "POST",
    headers: { "x-user": user, "x-password": password },
  });

try {
  assert.equal((await login(0, "ann", "guess 1")).status, 401);
  clock.advanceSync(60_000);
  assert.equal((await login(1, "ann", "guess 2")).status, 401);
  assert.equal((await login(0, "ann", "guess 3")).status, 401);
  const refused = await login(1, "ann", "open sesame");
  assert.equal(refused.status, 429);
  // When the first guess is 15 minutes old, and not 15 minutes after the last one.
  assert.equal(refused.headers.get("retry-after"), "840");
  assert.equal(refused.headers.get("ratelimit"), '"login"; r=0; t=840');
  console.log("Three wrong passwords, at whichever server, and then no more for 14 minutes.");

  // Trying on costs him nothing and gains him nothing: what he is told is when it ends.
  for (const server of [0, 1, 0, 1]) assert.equal((await login(server, "ann", "guess")).status, 429);
  clock.advanceSync(839_999);
  assert.equal((await login(0, "ann", "open sesame")).status, 429);
  clock.advanceSync(1);
  assert.equal((await login(1, "ann", "open sesame")).status, 200);

  // It is an ordinary limiter, which can be asked from elsewhere.
  const limiter = createLimiter({ name: "login", quota: "3/15min", store: stores[0]! });

  // Who logs in as he should is not counted: the unit goes back when the answer is out.
  for (let i = 0; i < 10; i++) {
    assert.equal((await login(i % 2, "ben", "open sesame")).status, 200);
    while ((await limiter.peek("ben", 0)).remaining < 3);
  }
  console.log("Ten right ones, and none is counted.");

  // An operator may block a user for an hour, from another process too.
  await limiter.block("ben", 3_600_000);
  assert.equal((await login(1, "ben", "open sesame")).headers.get("retry-after"), "3600");
  await limiter.reset("ben");
  assert.equal((await login(1, "ben", "open sesame")).status, 200);
  console.log("An operator blocks and unblocks a user.");
} finally {
  for (const server of servers) server.close().closeAllConnections();
  for (const store of stores) await store.close();
  rmSync(folder, { recursive: true, force: true });
}
