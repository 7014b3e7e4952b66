import { RATE_LIMIT_META } from "sluice/mcp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ClientKind, clientKinds, connect } from "../../../../sluice/test/inbound/mcp/clients.ts";
import {
  type Listening,
  listenWithHandler,
  listenWithTransport,
  newLog,
  v1Server,
  v2Server,
} from "../../../../sluice/test/inbound/mcp/servers.ts";
import { startGateway, type TestGateway } from "./gateway.ts";

type Log = ReturnType<typeof newLog>;

/** Unmodified servers of both generations, with the eras that they speak. */
const servers: Record<string, { serve: (log: Log) => Promise<Listening>; eras: readonly ClientKind[] }> = {
  "v2, both eras": { serve: (log) => listenWithHandler(() => v2Server(log)), eras: clientKinds },
  "v2 with sessions": {
    serve: (log) => listenWithTransport("v2", () => v2Server(log), true),
    eras: ["v1", "v2 legacy"],
  },
  "v1 with sessions": {
    serve: (log) => listenWithTransport("v1", () => v1Server(log), true),
    eras: ["v1", "v2 legacy"],
  },
  "v1 without sessions": {
    serve: (log) => listenWithTransport("v1", () => v1Server(log), false),
    eras: ["v1", "v2 legacy"],
  },
};

const cells = Object.entries(servers).flatMap(([name, { serve, eras }]) => eras.map((kind) => ({ name, serve, kind })));

describe.each(cells)("$name, client $kind, behind the gateway", ({ serve, kind }) => {
  let log: Log;
  let server: Listening;
  let gateway: TestGateway;
  const clients: any[] = [];

  const client = async (url: URL, onElicit?: () => void) => {
    const one = await connect(kind, { url }, onElicit);
    clients.push(one);
    return one;
  };

  beforeEach(async () => {
    log = newLog();
    server = await serve(log);
    gateway = await startGateway(server.url, { tools: { echo: "2/h", slow: { concurrency: 1 } } });
  });

  afterEach(async () => {
    log.release();
    await Promise.all(clients.splice(0).map((one) => one.close().catch(() => {})));
    await gateway.close();
    await server.close();
  });

  it("gets the same as without it", async () => {
    const [direct, behind] = [await client(server.url), await client(gateway.url)];
    const asks = [
      (one: any) => one.listTools(),
      (one: any) => one.listResources(),
      (one: any) => one.listPrompts(),
      (one: any) => one.readResource({ uri: "note://1" }),
      (one: any) => one.getPrompt({ name: "hello" }),
      (one: any) => one.callTool({ name: "typed", arguments: {} }),
      (one: any) => one.getServerVersion(),
      (one: any) =>
        one.callTool({ name: "no-such-tool", arguments: {} }).catch(({ code, message }: any) => ({ code, message })),
    ];
    for (const ask of asks) expect(await ask(behind)).toEqual(await ask(direct));
  });

  it("is told what it may not in a result that a model can read, and can go on with everything else", async () => {
    const one = await client(gateway.url);
    const echo = (text: string) => one.callTool({ name: "echo", arguments: { text } });
    expect([await echo("a"), await echo("b")].map(({ content }) => content[0].text)).toEqual(["a", "b"]);
    const refused = await echo("c");
    expect(refused.isError).toBe(true);
    expect(refused.content[0].text).toContain('the tool "echo" may be used 2 per hour');
    expect(refused._meta[RATE_LIMIT_META]).toMatchObject({ rate_limited: true, limit: 2, remaining: 0 });
    expect(log.runs).toEqual(["echo a", "echo b"]);
    expect((await one.callTool({ name: "typed", arguments: {} })).structuredContent).toEqual({ value: 1 });
  });

  it("holds a place while a call runs", async () => {
    const one = await client(gateway.url);
    const slow = () => one.callTool({ name: "slow", arguments: {} });
    const first = slow();
    while (log.runs.length === 0) await new Promise(setImmediate);
    expect((await slow()).isError).toBe(true);
    log.release();
    expect((await first).content[0].text).toBe("done");
    expect((await slow()).content[0].text).toBe("done");
  });
});

it("lets a server ask the client back, in the new era", async () => {
  const log = newLog();
  const server = await listenWithHandler(() => v2Server(log));
  const gateway = await startGateway(server.url, { tools: { confirm: "10/h" } });
  let asked = 0;
  const client = await connect("v2 modern", { url: gateway.url }, () => asked++);
  try {
    expect((await client.callTool({ name: "confirm", arguments: {} })).content[0].text).toBe("confirmed");
    expect(asked).toBe(1);
  } finally {
    await client.close();
    await gateway.close();
    await server.close();
  }
});
