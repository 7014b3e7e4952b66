// Four hosts start one MCP server each, and ask all its tools at once for more than the APIs behind them allow. The servers
// share the limits of the APIs through an SQLite file; with STORE=redis://localhost:6379, through a Redis.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { readRefusal } from "sluice/mcp";
import { startFakeApis } from "./fake-apis.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-example-"));
const store = process.env.STORE || join(folder, "limits.db");
// Each run has limits of its own: those of a Redis outlive the servers.
const prefix = `example-${randomUUID()}`;
const clients: Client[] = [];
const apis = await startFakeApis();

/** A host: starts the server, and speaks with it over its input and output. */
async function host(): Promise<Client> {
  const client = new Client({ name: "host", version: "1.0.0" });
  clients.push(client);
  const args = ["--no-warnings", join(import.meta.dirname, "server.ts"), store, prefix, apis.origin];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: "inherit" }));
  return client;
}

const heard: string[] = [];

/** Asks a tool `times` times at once, and listens to how the last call waits. */
function ask(client: Client, name: string, times: number) {
  const onprogress = ({ message = "" }) => {
    heard.push(message);
    if (client === clients[0] && name === "prices") console.log(`A client hears: ${message}`);
  };
  return Promise.all(
    Array.from({ length: times }, (_, i) =>
      client.callTool({ name, arguments: { id: `${i}` } }, i === times - 1 ? { onprogress } : {}),
    ),
  );
}

try {
  const hosts = await Promise.all(Array.from({ length: 4 }, host));
  const everywhere = async (name: string, times: number) =>
    (await Promise.all(hosts.map((one) => ask(one, name, times)))).flat();
  const [prices, weather, news] = await Promise.all([
    everywhere("prices", 25),
    everywhere("weather", 15),
    everywhere("news", 20),
  ]);
  const answered = (results: typeof prices) => results.filter(({ isError }) => !isError).length;
  console.log(`Four servers answered ${answered(prices)} calls for prices, under 10 per second,`);
  console.log(`${answered(weather)} for weather, under 3 at once, and ${answered(news)} for news, under 60 per hour.`);
  console.log(`Violations: ${apis.violations.length}`);
  assert.deepEqual(apis.violations, []);
  assert.deepEqual([answered(prices), answered(weather), answered(news)], [100, 60, 60]);
  assert.deepEqual(apis.asked, { prices: 100, weather: 60, news: 60 });

  const refused = news.filter(({ isError }) => isError);
  assert.equal(refused.length, 20);
  for (const result of refused) {
    const refusal = readRefusal(result);
    assert.equal(refusal?.upstream, "news");
    assert.equal(refusal.reason, "deadline");
    assert.ok(refusal.retryAfterMs! > 0);
  }
  const { text } = refused[0]!.content[0] as { text: string };
  console.log(`The other 20 for news were told: ${text}`);
  assert.match(text, /^Rate limit reached: this tool needs the API "news"/);
  assert.match(heard[0] ?? "", /^Waiting for \w+: position \d+/);
} finally {
  await Promise.all(clients.map((client) => client.close()));
  apis.close();
  rmSync(folder, { recursive: true, force: true });
}
