// The built library on every line of Node that it supports: packs it, installs the pack into an empty folder, and
// runs the same few calls on Node 20, 22, 24 and 26, each from npm's `node` package. Run by .ci/run.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const LINES = ["20.19", "22", "24", "26"];

const PROGRAM = `
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createLimiter, createConcurrencyLimiter, perDay, perSecond } from "sluice";
import { limitFetch, limitTool } from "sluice/mcp";
import { rateLimit } from "sluice/node";
import "sluice/express"; import "sluice/fastify"; import "sluice/hono"; import "sluice/web"; import "sluice/fastmcp";
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

const tool = limitTool({ tool: "t", limit: "1/min" }, async () => ({ content: [] }));
assert.equal((await tool({})).isError, undefined);
assert.equal((await tool({})).isError, true);
const fetched = limitFetch(async () => Response.json({}), { perClient: "1/min", client: () => "me" });
const post = () => new Request("http://localhost/", { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t" } }) });
assert.equal((await (await fetched(post())).json()).result, undefined);
assert.equal((await (await fetched(post())).json()).result.isError, true);

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
try {
  const [pack] = JSON.parse(
    run("npm", ["pack", "--json", "--pack-destination", folder, join(root, "packages/sluice")]),
  );
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module", allowScripts: { node: true } }),
  );
  writeFileSync(join(folder, "smoke.mjs"), PROGRAM);
  for (const line of LINES) {
    run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", join(folder, pack.filename), `node@${line}`]);
    process.stdout.write(run(join(folder, "node_modules/.bin/node"), ["smoke.mjs"]));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
