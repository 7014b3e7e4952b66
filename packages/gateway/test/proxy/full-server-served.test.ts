import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { expect, it } from "vitest";
import { processUpstream } from "../../src/proxy/process/process-upstream.ts";
import { playScenario } from "./full-scenario.ts";
import { startGateway } from "./http/gateway.ts";

const server = fileURLToPath(new URL("../fixtures/full-server.ts", import.meta.url));

it.each([
  ["v1", "v1"],
  ["v1", "v2 legacy"],
  ["v2", "v2 legacy"],
  ["v2", "v2 modern"],
] as const)(
  "a full server over stdio, SDK %s, does everything over HTTP that it does over stdio: client %s",
  async (generation, kind) => {
    const [command, ...args] = [process.execPath, "--no-warnings", server, generation] as const;
    const overStdio = await playScenario(kind, { command, args }, generation);
    const upstream = processUpstream({ command: [command, ...args], log: pino({ level: "silent" }) });
    const gateway = await startGateway(upstream, { perClient: "1000000/min" });
    try {
      const {
        http,
        "end of the session": end,
        ...overHttp
      } = await playScenario(kind, { url: gateway.url }, generation);
      // Only transports over HTTP know the version: they send it with every request.
      expect(overHttp.connect!.result.pop()).toBe(kind === "v2 modern" ? "2026-07-28" : "2025-11-25");
      overStdio.connect!.result.pop();
      expect(overHttp).toEqual(overStdio);
      expect(http).toBeDefined();
      expect(end !== undefined).toBe(kind !== "v2 modern");
    } finally {
      await gateway.close();
    }
  },
);
