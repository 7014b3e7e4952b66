// What would new.yaml have done this morning? calls.jsonl is what `sluice --record` wrote: an hour of 14 clients, one of which ran wild.
import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const folder = join(import.meta.dirname, "..");
const program = createRequire(import.meta.url).resolve("sluice-gateway");

function simulate(...args: readonly string[]) {
  return simulateOn("calls.jsonl", ...args);
}

function simulateOn(log: string, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "simulate", ...args, log], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

// Who, when, for how long, and by which limit: compared with the policy that is in force.
const table = simulate("--policy", "new.yaml", "--against", "old.yaml");
console.log(table.stdout);
assert.equal(table.status, 0, table.stderr);
const { figures, clients } = JSON.parse(simulate("--policy", "new.yaml", "--against", "old.yaml", "--json").stdout);
assert.deepEqual([figures.calls, figures.was_refused, figures.newly_refused], [1818, 0, 439]);
// The one that ran wild is caught: 252 searches in six minutes.
assert.deepEqual([clients[0].calls, clients[0].limits], [312, { "tools.search.per-minute": 252 }]);
// And so is the import of a client that pays: that limit is too low for it.
assert.deepEqual([clients[1].tier, clients[1].limits], ["pro", { "rows.per-minute": 186 }]);

// In CI: no new refusal for those who pay.
const check = simulate("--policy", "new.yaml", "--against", "old.yaml", "--fail-if", "newly_refused[tier=pro] > 0");
assert.equal(check.status, 3);
assert.match(check.stderr, /newly_refused\[tier=pro\] > 0/);

// The smallest limits that refuse at most 1 % of the calls: `rows` would have to be nine times as large.
const { suggestions } = JSON.parse(simulate("--policy", "new.yaml", "--suggest", "1", "--json").stdout);
const rows = suggestions.find((one: { limit: string }) => one.limit === "rows");
assert.deepEqual([rows.tier, rows.now, rows.smallest], ["pro", "60/min", "520/min"]);
assert.ok(rows.refused <= 0.01 * rows.calls && rows.oneLess > 0.01 * rows.calls);
console.log("rows:", rows.now, "→", rows.smallest);

// With that, those who pay notice nothing; and the wild one, if it waits as it is told, meets its 200 calls per hour in the end.
const later = JSON.parse(simulate("--policy", "better.yaml", "--clients", "wait", "--json").stdout);
const refused = Object.fromEntries(
  later.tiers.map((one: { tier: string; refused: number }) => [one.tier, one.refused]),
);
assert.deepEqual(refused, { pro: 0, free: 112 });
assert.deepEqual(Object.keys(later.clients[0].limits), ["plans.per-hour"]);
console.log("better.yaml, with clients that wait:", later.figures.waited, "calls pass later,", refused.free, "never");

// How such a log is made: a server over stdio, an official client, and a gateway that refuses one call and records all.
const server = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));
const log = join(mkdtempSync(join(tmpdir(), "sluice-example-")), "calls.jsonl");
const client = new Client({ name: "example", version: "1.0.0" });
const gateway = [
  program,
  "--tool",
  "echo=2/min",
  "--record",
  log,
  "--log-level",
  "error",
  "--",
  process.execPath,
  server,
];
await client.connect(new StdioClientTransport({ command: process.execPath, args: gateway }));
for (const message of ["one", "two", "three"]) await client.callTool({ name: "echo", arguments: { message } });
await client.close();
const own = JSON.parse(simulateOn(log, "--policy", "new.yaml", "--json").stdout);
const echo = own.tools.find((one: { tool: string }) => one.tool === "echo");
assert.deepEqual([echo.calls, echo.wasRefused, echo.newlyAllowed], [3, 1, 1]);
console.log("Recorded just now:", echo.calls, "calls of echo, of which one was refused that new.yaml allows");
