// Four hosts start one MCP server each, and call its tool 30 times at once: 120 calls, of which exactly 50 pass. The servers
// share an SQLite file; with STORE=redis://localhost:6379 they share a Redis, and might as well be on four machines.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { readRefusal } from "sluice/mcp";

const folder = mkdtempSync(join(tmpdir(), "sluice-example-"));
const store = process.env.STORE || join(folder, "limits.db");
// Each run is a limit of its own: those of a Redis outlive the servers.
const name = `example-${randomUUID()}`;
const clients: Client[] = [];

/** A host: starts the server, and speaks with it over its input and output. */
async function host(): Promise<Client> {
  const client = new Client({ name: "host", version: "1.0.0" });
  clients.push(client);
  const args = ["--no-warnings", join(import.meta.dirname, "server.ts"), store, name];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: "inherit" }));
  return client;
}

const search = (client: Client) => client.callTool({ name: "search", arguments: { query: "sluices" } });

try {
  const hosts = await Promise.all(Array.from({ length: 4 }, host));
  const results = await Promise.all(hosts.map((one) => Promise.all(Array.from({ length: 30 }, () => search(one)))));

  const passed = results.map((those) => those.filter(({ isError }) => !isError).length);
  const refused = results.flat().filter((result) => readRefusal(result) !== undefined);
  console.log(`Four servers were called 30 times each, under 50 per hour for all. Passed: ${passed.join(" + ")}`);
  assert.equal(
    passed.reduce((sum, one) => sum + one, 0),
    50,
  );
  assert.equal(refused.length, 70);

  const late = await search(await host());
  const retryAfterMs = readRefusal(late)?.retryAfterMs ?? 0;
  console.log(`A fifth, started later, says: again in ${Math.round(retryAfterMs / 60_000)} minutes.`);
  assert.ok(retryAfterMs > 0);
} finally {
  await Promise.all(clients.map((client) => client.close()));
  rmSync(folder, { recursive: true, force: true });
}
