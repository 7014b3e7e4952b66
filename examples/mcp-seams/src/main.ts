// Where a limit can be put in front of an MCP server. Each server is called by the official client of SDK v1 over a
// transport in memory, on a clock that is moved by hand.
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer as V1Server } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as V2Server } from "@modelcontextprotocol/server";
import { memoryStore } from "sluice";
import { limitTool, type McpRateLimitOptions, rateLimit, readRefusal, type ServerLike } from "sluice/mcp";
import { manualClock } from "sluice/testing";

const clock = manualClock();
const store = memoryStore({ clock });
const info = { name: "example", version: "1.0.0" };
const hello = async () => ({ content: [{ type: "text" as const, text: "hello" }] });

async function clientOf(server: ServerLike): Promise<Client> {
  const [near, far] = InMemoryTransport.createLinkedPair();
  const client = new Client(info);
  await server.connect(far);
  await client.connect(near);
  return client;
}

function v1(): V1Server {
  const server = new V1Server(info);
  server.registerTool("hello", {}, hello);
  return server;
}

function v2(): V2Server {
  const server = new V2Server(info);
  server.registerTool("hello", {}, hello);
  return server;
}

for (const [generation, make] of Object.entries({ v1, v2 })) {
  const options: McpRateLimitOptions = { name: generation, store, perClient: "100/min", tools: { hello: "1/min" } };
  const client = await clientOf(rateLimit<ServerLike>(make(), options));
  assert.ok(!(await client.callTool({ name: "hello" })).isError);
  const refused = await client.callTool({ name: "hello" });
  assert.equal(readRefusal(refused)?.retryAfterMs, 60_000);
  console.log(`A server of SDK ${generation}:`, (refused.content as { text: string }[])[0]?.text);
}

const single = new V1Server(info);
single.registerTool("hello", {}, limitTool({ tool: "hello", limit: "1/min", store, name: "single" }, hello));
single.registerTool("free", {}, hello);
const one = await clientOf(single);
await one.callTool({ name: "hello" });
assert.ok((await one.callTool({ name: "hello" })).isError);
assert.ok(!(await one.callTool({ name: "free" })).isError);
console.log("A limit on one tool leaves the others alone.");

const asErrors = await clientOf(
  rateLimit(v1(), { name: "errors", store, tools: { hello: "1/min" }, refusal: "error", errorCode: -32_000 }),
);
await asErrors.callTool({ name: "hello" });
const error = await asErrors.callTool({ name: "hello" }).catch((thrown: unknown) => thrown);
assert.equal((error as { code: number }).code, -32_000);
assert.equal(readRefusal(error)?.limit, 1);
console.log("By option a refusal is a JSON-RPC error, with the same data.");

const patient = await clientOf(
  rateLimit(v1(), { name: "patient", store, tools: { hello: "1/2s" }, wait: { maxWaitMs: 3_000 } }),
);
await patient.callTool({ name: "hello" });
const waiting = patient.callTool({ name: "hello" });
const refusedAtOnce = await patient.callTool({ name: "hello" });
assert.equal(readRefusal(refusedAtOnce)?.retryAfterMs, 4_000);
await clock.advance(2_000);
assert.ok(!(await waiting).isError);
console.log("By option a call waits its turn, and is refused at once when that would take too long.");

const trial: boolean[] = [];
const governed = await clientOf(
  rateLimit(v1(), {
    name: "governed",
    store,
    client: () => "ann",
    tier: { clients: { ann: "pro" } },
    policies: [
      { name: "plan", match: { tool: "h*" }, tiers: { pro: "2/min", "*": "1/min" } },
      { name: "stricter", match: { tool: "hello" }, quota: "1/min", mode: "shadow" },
    ],
    onDecision: ({ mode, decision }) => mode === "shadow" && trial.push(decision.allowed),
  }),
);
const answers = [];
for (let i = 0; i < 3; i++) answers.push(await governed.callTool({ name: "hello" }));
assert.deepEqual(
  answers.map((answer) => readRefusal(answer)?.quota),
  [undefined, undefined, "plan.per-minute"],
);
assert.deepEqual(trial, [true, false]);
console.log("Policies give a tier its own quota, and try a stricter limit without refusing anybody by it.");
