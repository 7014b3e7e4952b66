import { it } from "vitest";
import type { ClientKind } from "../../../../sluice/test/inbound/mcp/clients.ts";
import { expectSame } from "../expect-same.ts";
import { fullServers } from "./full-servers.ts";
import { startGateway } from "./gateway.ts";

/** Enough for everything, and everything is looked at. */
const limits = {
  perClient: "1000000/min",
  tools: { "*": { quota: "1000000/min", concurrency: 1_000 } },
  loops: { warnAfter: 1_000, slowAfter: 2_000, stopAfter: 3_000 },
} as const;

const cells: readonly [keyof typeof fullServers, ClientKind][] = [
  ["SDK v1 with sessions", "v1"],
  ["SDK v1 with sessions", "v2 legacy"],
  ["SDK v2 with sessions", "v1"],
  ["SDK v2 with sessions", "v2 legacy"],
  ["SDK v2 without sessions", "v2 modern"],
];

it.each(cells)("a full server, %s, does everything as without the gateway: client %s", async (how, kind) => {
  // Two of a kind: what one remembers of the first time says nothing about the second.
  const [direct, behind] = [await fullServers[how](), await fullServers[how]()];
  const gateway = await startGateway(behind.url, limits);
  try {
    await expectSame(kind, how.startsWith("SDK v1") ? "v1" : "v2", { url: direct.url }, { url: gateway.url });
  } finally {
    await gateway.close();
    await Promise.all([direct.close(), behind.close()]);
  }
});
