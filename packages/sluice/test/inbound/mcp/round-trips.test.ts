import { acceptedContent, inputRequired, McpServer } from "@modelcontextprotocol/server";
import { memoryStore } from "sluice";
import { limitFetch, limitTool, type McpRateLimitOptions, rateLimit, readRefusal } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { connect } from "./clients.ts";
import { type Listening, listenWithHandler, listenWithTransport, newLog, v1Server, v2Server } from "./servers.ts";

const cleanup: (() => unknown)[] = [];
beforeEach(() => vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
  vi.restoreAllMocks();
});

async function client(kind: Parameters<typeof connect>[0], listening: Promise<Listening>, onElicit?: () => void) {
  const server = await listening;
  cleanup.push(() => server.close());
  const connected = await connect(kind, server, onElicit);
  cleanup.push(() => connected.close());
  return connected;
}

const store = () => memoryStore({ clock: manualClock() });

describe("a tool that asks its client for input (2026-07-28)", () => {
  const seams: Record<string, (options: McpRateLimitOptions, log: ReturnType<typeof newLog>) => Promise<Listening>> = {
    limitFetch: (options, log) =>
      listenWithHandler(
        () => v2Server(log),
        (fetch) => limitFetch(fetch, options),
      ),
    rateLimit: (options, log) => listenWithHandler(() => rateLimit(v2Server(log), options)),
  };

  it.each(Object.entries(seams))(
    '%s: the retry is free with mrtr: "once", and the next call is not',
    async (_name, serve) => {
      const log = newLog();
      const connected = await client(
        "v2 modern",
        serve({ store: store(), tools: { confirm: "1/min" }, mrtr: "once" }, log),
      );
      expect((await connected.callTool({ name: "confirm", arguments: {} })).content[0].text).toBe("confirmed");
      expect(log.runs).toEqual(["confirm", "confirm"]);
      expect(await connected.callTool({ name: "confirm", arguments: {} })).toMatchObject({ isError: true });
    },
  );

  it.each(Object.entries(seams))("%s: both legs are charged by default", async (_name, serve) => {
    const log = newLog();
    const connected = await client("v2 modern", serve({ store: store(), tools: { confirm: "3/min" } }, log));
    expect((await connected.callTool({ name: "confirm", arguments: {} })).content[0].text).toBe("confirmed");
    expect(readRefusal(await connected.callTool({ name: "confirm", arguments: {} }))).toMatchObject({
      limit: 3,
      remaining: 0,
    });
    expect(log.runs).toEqual(["confirm", "confirm", "confirm"]);
  });
});

describe("limitTool", () => {
  it("limits one tool of SDK v1 and leaves the others alone", async () => {
    const server = () => {
      const made = v1Server(newLog());
      made.registerTool(
        "limited",
        { inputSchema: { n: z.number() } },
        limitTool({ tool: "limited", limit: "1/min", store: shared }, async ({ n }: { n: number }) => ({
          content: [{ type: "text" as const, text: `ran ${n}` }],
        })),
      );
      return made;
    };
    const shared = store();
    const connected = await client("v1", listenWithTransport("v1", server, false));
    expect((await connected.callTool({ name: "limited", arguments: { n: 1 } })).content[0].text).toBe("ran 1");
    expect(readRefusal(await connected.callTool({ name: "limited", arguments: { n: 2 } }))?.quota).toBe(
      "tools.limited.per-minute",
    );
    expect((await connected.callTool({ name: "echo", arguments: { text: "x" } })).isError).toBeFalsy();
  });

  /** On the old era the SDK runs the callback twice for one request on the wire. */
  it.each(["v2 legacy", "v2 modern"] as const)(
    "charges a request once, however often the SDK runs its callback: %s",
    async (kind) => {
      const shared = store();
      const schema = z.object({ yes: z.boolean() });
      let runs = 0;
      const factory = () => {
        const server = new McpServer({ name: "test", version: "1.0.0" });
        const confirm = limitTool({ tool: "confirm", limit: "2/min", store: shared }, async (ctx: any) => {
          runs++;
          if (acceptedContent(ctx.mcpReq.inputResponses, "sure", schema)?.yes)
            return { content: [{ type: "text" as const, text: "confirmed" }] };
          return inputRequired({
            inputRequests: { sure: inputRequired.elicit({ message: "Sure?", requestedSchema: schema }) },
          });
        });
        server.registerTool("confirm", {}, confirm as any);
        return server;
      };
      let asked = 0;
      const listening = kind === "v2 modern" ? listenWithHandler(factory) : listenWithTransport("v2", factory, true);
      const connected = await client(kind, listening, () => asked++);
      expect((await connected.callTool({ name: "confirm", arguments: {} })).content[0].text).toBe("confirmed");
      expect({ runs, asked }).toEqual({ runs: 2, asked: 1 });
      const second = await connected.callTool({ name: "confirm", arguments: {} });
      // One charge for the one request of the old era, two for the two requests of the new one.
      expect(second.isError ?? false).toBe(kind === "v2 modern");
    },
  );
});
