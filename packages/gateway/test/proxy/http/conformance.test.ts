import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
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
import { processUpstream } from "../../../src/proxy/process/process-upstream.ts";
import { startGateway } from "./gateway.ts";

const plainServer = fileURLToPath(new URL("../../../../sluice/test/inbound/mcp/plain-server.ts", import.meta.url));
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

describe.each(["v1", "v2"] as const)("the official conformance suite, a %s server over stdio", (generation) => {
  it("passes wherever that server passes over HTTP, and as to DNS rebinding", async () => {
    const server = await (generation === "v1" ? servers["v1 with sessions"]! : servers["v2 with sessions"]!)();
    const behind = processUpstream({
      command: [process.execPath, "--no-warnings", plainServer, generation],
      log: pino({ level: "silent" }),
    });
    const gateway = await startGateway(behind, { perClient: "1000000/min" });
    try {
      const passed = (results: readonly string[]) =>
        results.filter((line) => line.startsWith("✓")).map((line) => line.split(":")[0]);
      const [behindGateway, direct] = [passed(await resultsOf(gateway.url)), passed(await resultsOf(server.url))];
      expect(direct.length).toBeGreaterThan(3);
      expect(behindGateway).toEqual(expect.arrayContaining([...direct, "✓ dns-rebinding-protection"]));
    } finally {
      await gateway.close();
      await server.close();
    }
  }, 120_000);
});
