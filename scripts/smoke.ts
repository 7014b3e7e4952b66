// What is published, on every line of Node that it supports: packs the library and the gateway, installs the packs into an
// empty folder, and runs the same few calls on Node 20, 22, 24 and 26, each from npm's `node` package. Run by .ci/run.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const LINES = ["20.19", "22", "24", "26"];

const PROGRAM = `
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createLimiter, createConcurrencyLimiter, perDay, perSecond } from "sluice";
import { limitFetch, limitTool } from "sluice/mcp";
import { rateLimit } from "sluice/node";
import "sluice/express"; import "sluice/fastify"; import "sluice/hono"; import "sluice/web"; import "sluice/fastmcp";
import "sluice/compat/fastify-rate-limit"; import "sluice/compat/hono-rate-limiter"; import "sluice/compat/nestjs-throttler";
import { sluiceStore } from "sluice/compat/express-rate-limit";
import { logDecisions } from "sluice/logs";
import { createTelemetry } from "sluice/opentelemetry";
import { createMetrics } from "sluice/prometheus";
import { recordCalls } from "sluice/record";
import { sqliteStore } from "sluice/sqlite";
import { manualClock } from "sluice/testing";

const limiter = createLimiter({ quota: ["2/min", perDay(100, { timeZone: "Europe/Berlin" })] });
assert.deepEqual([1, 2, 3].map(() => limiter.consume("a").allowed), [true, true, false]);
assert.equal(createLimiter({ quota: perSecond(10, { burst: 20 }) }).consume("a", 20).remaining, 0);
assert.ok((await limiter.wait("b")).allowed);
assert.equal(await createConcurrencyLimiter({ limit: 1 }).run("a", async () => 7), 7);
assert.equal(manualClock().pending, 0);

const overFile = () => createLimiter({ quota: "1/min", store: sqliteStore({ path: process.version + ".db" }) });
if (process.version.startsWith("v20.")) assert.throws(overFile, { code: "SQLITE_VERSION" });
else assert.ok((await overFile().consume("a")).allowed);

const hits = sluiceStore();
hits.init({ windowMs: 60_000, limit: 1, skipFailedRequests: true });
const hit = async () => {
  await null;
  const { totalHits } = hits.increment("a");
  await null;
  if (totalHits > 1) hits.decrement("a"); // a refused request has nothing to get back
  return totalHits;
};
assert.deepEqual([await hit(), await hit(), await hit()], [1, 2, 2]);

const tool = limitTool({ tool: "t", limit: "1/min" }, async () => ({ content: [] }));
assert.equal((await tool({})).isError, undefined);
assert.equal((await tool({})).isError, true);
const fetched = limitFetch(async () => Response.json({}), { perClient: "1/min", client: () => "me" });
const post = () => new Request("http://localhost/", { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t" } }) });
assert.equal((await (await fetched(post())).json()).result, undefined);
assert.equal((await (await fetched(post())).json()).result.isError, true);

assert.throws(() => createTelemetry({}), /"@opentelemetry\\/api"/);

const registered = new Map();
const metrics = createMetrics({ registry: { registerMetric: (one) => registered.set(one.name, one) } });
const told = [];
const log = { debug() {}, info() {}, error() {}, warn: (fields, text) => told.push(text) };
const tell = logDecisions(log);
const watched = limitFetch(async () => Response.json({}), {
  perClient: "1/min",
  client: () => "me",
  name: "watched",
  ...metrics.listeners,
  onDecision(event) {
    metrics.listeners.onDecision(event);
    tell(event);
  },
});
for (let i = 0; i < 2; i++) await (await watched(post())).json();
const { values } = await registered.get("sluice_decisions_total").get();
assert.deepEqual(values.map(({ labels, value }) => [labels.decision, value]), [["allow", 1], ["deny", 1]]);
assert.deepEqual(told, ["refused"]);

const file = process.version + ".jsonl";
const record = recordCalls({ file });
const kept = limitFetch(async () => Response.json({ jsonrpc: "2.0", id: 1, result: {} }), { perClient: "1/min", client: () => "me", name: "kept", onCall: record.onCall });
for (let i = 0; i < 2; i++) await (await kept(post())).json();
await record.close();
const lines = readFileSync(file, "utf8").trim().split("\\n").map((line) => JSON.parse(line));
assert.deepEqual(lines.slice(1).map(({ tool, allowed }) => [tool, allowed]), [["t", undefined], ["t", false]]);

const server = createServer(rateLimit((request, response) => response.end("ok"), { quota: "1/min" }));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const get = () => fetch("http://127.0.0.1:" + server.address().port);
assert.equal((await get()).status, 200);
const refused = await get();
assert.equal(refused.status, 429);
assert.equal((await refused.json())["violated-policies"][0], "per-minute");
server.closeAllConnections();
server.close();
console.log("Node " + process.version + ": the built library works.");
`;

const root = resolve(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "sluice-smoke-"));
const run = (command: string, args: readonly string[]) =>
  execFileSync(command, args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });

/** A server over stdio that answers a request with the number of its line, behind the program as `npx sluice` finds it. */
const SERVER = `let n = 0; require("node:readline").createInterface({ input: process.stdin })
  .on("line", (line) => console.log(JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(line).id, result: { line: ++n } })))
  .on("close", () => process.exit(7));`;

function checkGateway(node: string): void {
  const call = (id: number) => JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "t" } });
  const args = [
    "node_modules/sluice/bin/sluice.js",
    "--tool",
    "t=1/h",
    "--log-level",
    "silent",
    "--",
    node,
    "-e",
    SERVER,
  ];
  const input = `${call(1)}\n${call(2)}\n`;
  const { status, stdout, stderr } = spawnSync(node, args, { cwd: folder, input, encoding: "utf8", timeout: 60_000 });
  if (run(node, ["--version"]).startsWith("v20.")) {
    if (status !== 2 || !stderr.includes("sluice needs Node 22.22.3 or later"))
      throw new Error(`Node 20 heard: ${stderr}`);
    return;
  }
  const answers = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const [passed, refused] = [answers.find(({ id }) => id === 1), answers.find(({ id }) => id === 2)];
  if (status !== 7 || passed?.result?.line !== 1 || refused?.result?.isError !== true) {
    throw new Error(`The gateway ended with ${status} and said:\n${stdout}\n${stderr}`);
  }
  console.log(`${run(node, ["--version"]).trim()}: the gateway works.`);
}

try {
  const packs = ["packages/sluice", "packages/gateway"].map((path) => {
    const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder, join(root, path)]));
    return join(folder, filename);
  });
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module", allowScripts: { node: true } }),
  );
  writeFileSync(join(folder, "smoke.mjs"), PROGRAM);
  for (const line of LINES) {
    run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", ...packs, `node@${line}`]);
    const node = join(folder, "node_modules/.bin/node");
    process.stdout.write(run(node, ["smoke.mjs"]));
    checkGateway(node);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
