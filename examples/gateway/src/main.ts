// What a host does with `command: npx, args: [sluice, --config, sluice.yaml, --, mcp-server-everything]`.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { readRefusal } from "sluice/mcp";

const sluice = fileURLToPath(import.meta.resolve("sluice-gateway"));
const server = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));
const policies = fileURLToPath(new URL("../sluice.yaml", import.meta.url));

const client = new Client({ name: "example", version: "1.0.0" });
await client.connect(
  new StdioClientTransport({
    command: process.execPath,
    args: [sluice, "--config", policies, "--", process.execPath, server],
  }),
);

const { tools } = await client.listTools();
console.log(`The server has ${tools.length} tools, and knows nothing of limits.`);

const echo = (message: string) => client.callTool({ name: "echo", arguments: { message } });
for (const message of ["one", "two"]) assert.equal((await echo(message)).isError ?? false, false);

const refused = await echo("three");
const [first] = refused.content;
const text = first?.type === "text" ? first.text : "";
console.log(`The third call is refused, and the model reads:\n  ${text}`);
assert.equal(refused.isError, true);
assert.match(text, /the tool "echo" may be used 2 per minute.*Wait \d+ seconds/);
assert.equal(readRefusal(refused)?.limit, 2);

// The other tools go on; the limit on trial refuses nothing, and the gateway logs what it would have refused.
for (const b of [1, 2, 3]) {
  const sum = await client.callTool({ name: "get-sum", arguments: { a: 1, b } });
  assert.equal(sum.isError ?? false, false);
}
await client.close();
