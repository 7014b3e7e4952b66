import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Store } from "sluice";
import { memoryStore } from "sluice";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Listening,
  listenWithHandler,
  listenWithTransport,
  newLog,
  v1Server,
  v2Server,
} from "../../../../sluice/test/inbound/mcp/servers.ts";
import { startGateway } from "./gateway.ts";

const suite = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));

/** What the official suite says about a server, scenario by scenario. */
async function resultsOf(url: URL): Promise<readonly string[]> {
  const child = spawn(process.execPath, [suite, "server", "--url", url.href, "--suite", "all"], {
    cwd: mkdtempSync(join(tmpdir(), "sluice-conformance-")),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [said] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const summary = said.slice(said.indexOf("=== SUMMARY ==="));
  return summary.split("\n").filter((line) => /^[✓✗]/.test(line));
}

/** As Redis does: later. */
function asynchronous(): Store {
  const memory = memoryStore();
  return {
    take: async (demands, options) => memory.take(demands, options),
    forget: async (accounts) => memory.forget(accounts),
  };
}

const servers: Record<string, () => Promise<Listening>> = {
  "v2, both eras": () => listenWithHandler(() => v2Server(newLog())),
  "v2 with sessions": () => listenWithTransport("v2", () => v2Server(newLog()), true),
  "v1 with sessions": () => listenWithTransport("v1", () => v1Server(newLog()), true),
};

describe.each(Object.entries(servers))("the official conformance suite: %s", (_, serve) => {
  let server: Listening;
  let direct: readonly string[];

  beforeAll(async () => {
    server = await serve();
    direct = await resultsOf(server.url);
  }, 120_000);
  afterAll(() => server.close());

  it.each([
    ["a store that answers at once", undefined],
    ["a store that answers later", asynchronous()],
  ])(
    "says the same through the gateway, over %s",
    async (_name, store) => {
      expect(direct.length).toBeGreaterThan(10);
      expect(direct.some((line) => line.startsWith("✓"))).toBe(true);
      const limits = { perClient: "1000000/min", tools: { "*": "1000000/min" }, ...(store && { store }) };
      const gateway = await startGateway(server.url, limits);
      try {
        expect(await resultsOf(gateway.url)).toEqual(direct);
      } finally {
        await gateway.close();
      }
    },
    120_000,
  );
});
