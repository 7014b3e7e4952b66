import { fileURLToPath } from "node:url";
import { it } from "vitest";
import { expectSame } from "../proxy/expect-same.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const server = fileURLToPath(new URL("../fixtures/full-server.ts", import.meta.url));
const command = process.execPath;

it.each([
  ["v1", "v1"],
  ["v2", "v2 legacy"],
  ["v2", "v2 modern"],
] as const)(
  "a full server over stdio, SDK %s, does everything as without the gateway: client %s",
  async (generation, kind) => {
    const args = ["--no-warnings", server, generation];
    const limits = ["--per-client", "1000000/min", "--tool", "*=1000000/min", "--log-level", "silent"];
    const behind = ["--no-warnings", main, ...limits, "--", command, ...args];
    await expectSame(kind, generation, { command, args }, { command, args: behind });
  },
);
