// `sluice serve`: a server over stdio becomes one over HTTP, for clients with API keys, whose tiers have limits of their own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { readRefusal } from "sluice/mcp";

const sluice = fileURLToPath(import.meta.resolve("sluice-gateway"));
const server = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));
const policies = fileURLToPath(new URL("../sluice.yaml", import.meta.url));
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const [annKey, bobKey, token] = [randomUUID(), randomUUID(), randomUUID()];
const gateway = spawn(process.execPath, [sluice, "serve", "--config", policies], {
  stdio: ["ignore", "ignore", "pipe"],
  env: {
    ...process.env,
    SERVER: server,
    ANN_SHA256: sha256(annKey),
    BOB_SHA256: sha256(bobKey),
    SLUICE_ADMIN_TOKEN: token,
  },
});
const found = new Map<string, string>();
for await (const line of createInterface({ input: gateway.stderr })) {
  if (!line.startsWith("{")) continue;
  const { msg, at } = JSON.parse(line);
  if (at !== undefined) found.set(msg, at);
  if (found.size === 2) break;
}
gateway.stderr.resume();
const url = new URL(found.get("limits are in front of the server")!);
const admin = found.get("the admin API listens")!;

async function connect(key: string): Promise<Client> {
  const client = new Client({ name: "example", version: "1.0.0" });
  await client.connect(new StreamableHTTPClientTransport(url, { authProvider: { token: async () => key } }));
  return client;
}

await assert.rejects(connect("a key that nobody has"));
console.log("Whoever has no key is not let in.");

const [ann, bob] = await Promise.all([connect(annKey), connect(bobKey)]);
/** How many of four calls pass, and what the model reads of the one that does not. */
async function callFourTimes(client: Client): Promise<{ passed: number; text: string }> {
  let [passed, text] = [0, ""];
  for (const message of ["one", "two", "three", "four"]) {
    const result = await client.callTool({ name: "echo", arguments: { message } });
    const [content] = result.content;
    if (readRefusal(result) === undefined) passed++;
    else if (content?.type === "text") text = content.text;
  }
  return { passed, text };
}
const [ofAnn, ofBob] = [await callFourTimes(ann), await callFourTimes(bob)];
assert.deepEqual([ofAnn.passed, ofBob.passed], [3, 1]);
console.log(`Ann may call three times in an hour, Bob once. Bob's model reads:\n  ${ofBob.text}`);
assert.match(ofBob.text, /Ask ops@example\.com for more\.$/);

const response = await fetch(`${admin}/api/v1/clients?by=refused`, { headers: { Authorization: `Bearer ${token}` } });
const { clients } = (await response.json()) as { clients: { client: string; tier: string; refused: number }[] };
for (const { client, tier, refused } of clients) console.log(`  ${client} (${tier}): ${refused} refused`);
assert.deepEqual(
  clients.map(({ tier, refused }) => [tier, refused]),
  [
    ["free", 3],
    ["pro", 1],
  ],
);

await Promise.all([ann.close(), bob.close()]);
gateway.kill("SIGTERM");
assert.deepEqual(await once(gateway, "exit"), [0, null]);
