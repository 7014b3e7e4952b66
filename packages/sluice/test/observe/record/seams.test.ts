import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStore } from "sluice";
import { limitFetch, limitTool, type McpRateLimitOptions, rateLimit } from "sluice/mcp";
import { recordCalls } from "sluice/record";
import { expect, it } from "vitest";
import { type ClientKind, connect } from "../../inbound/mcp/clients.ts";
import {
  type Listening,
  listenWithHandler,
  listenWithTransport,
  newLog,
  v1Server,
  v2Server,
} from "../../inbound/mcp/servers.ts";

type Serve = (options: McpRateLimitOptions) => Promise<Listening>;

/** Ways to serve, with a client that can talk to them. */
const servings: readonly (readonly [string, ClientKind, Serve])[] = [
  ["a server in a factory", "v2 modern", (options) => listenWithHandler(() => rateLimit(v2Server(newLog()), options))],
  [
    "fetch",
    "v2 legacy",
    (options) =>
      listenWithHandler(
        () => v2Server(newLog()),
        (fetch) => limitFetch(fetch, options),
      ),
  ],
  [
    "sessions of v2",
    "v2 legacy",
    (options) => listenWithTransport("v2", () => rateLimit(v2Server(newLog()), options), true),
  ],
  ["sessions of v1", "v1", (options) => listenWithTransport("v1", () => rateLimit(v1Server(newLog()), options), true)],
];

it.each(servings)("hears of the calls of an official client around %s", async (_what, kind, serve) => {
  const file = join(mkdtempSync(join(tmpdir(), "sluice-seams-")), "calls.jsonl");
  const limits = { tools: { echo: "1/h" } };
  const record = recordCalls({ file, limits });
  const served = await serve({ ...limits, client: () => "ann", store: memoryStore(), onCall: record.onCall });
  const client = await connect(kind, { url: served.url });
  await client.callTool({ name: "echo", arguments: { text: "private" } });
  expect(await client.callTool({ name: "echo", arguments: { text: "private" } })).toMatchObject({ isError: true });
  await client.callTool({ name: "typed", arguments: {} });
  await client.readResource({ uri: "note://1" });
  await client.close();
  await served.close();
  await record.close();
  const text = readFileSync(file, "utf8");
  const [, ...lines] = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const calls = lines.filter(({ tool, resource }) => tool !== undefined || resource !== undefined);
  expect(calls.map(({ tool, method, allowed, outcome }) => [tool ?? method, allowed, outcome])).toEqual([
    ["echo", undefined, undefined],
    ["echo", false, undefined],
    ["typed", undefined, undefined],
    ["resources/read", undefined, undefined],
  ]);
  expect(calls.map(({ durationMs }) => durationMs > 0)).toEqual([true, false, true, true]);
  expect(new Set(lines.map(({ client: name }) => name)).size).toBe(1);
  expect(text).not.toMatch(/private|note:|ann"/);
});

it("hears of the runs of one tool", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "sluice-seams-")), "calls.jsonl");
  const record = recordCalls({ file });
  const options = { tool: "echo", limit: "1/h", store: memoryStore(), onCall: record.onCall } as const;
  const echo: any = limitTool(options, async () => ({ content: [] }));
  await echo({}, {});
  await echo({}, {});
  await record.close();
  const lines = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => JSON.parse(line));
  expect(lines.map(({ tool, allowed, outcome }) => [tool, allowed, outcome])).toEqual([
    ["echo", undefined, undefined],
    ["echo", false, undefined],
  ]);
});
