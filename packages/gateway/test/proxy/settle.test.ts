import { afterEach, describe, expect, it } from "vitest";
import { call, send, startGateway, startRecorder } from "./http/gateway.ts";
import { scripted } from "./scripted.ts";

/** What the scripted server says of each request is how many lines it has seen. */
const limits = { tools: { rows: { quota: "10/h", settle: { result: "seen", per: 0.1 } } } };

describe("what a result says that its call cost is charged", () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(() => Promise.all(ends.splice(0).map((end) => end())));

  it("over stdio", async () => {
    const proxy = scripted(limits);
    expect((await proxy.ask(1, "tools/call", { name: "rows" })).result.seen).toBe(1);
    expect((await proxy.ask(2, "tools/call", { name: "rows" })).result.isError).toBe(true);
    await proxy.end();
  });

  it.each([
    ["as JSON", "application/json", (json: string) => json],
    ["in a stream", "text/event-stream", (json: string) => `data: ${json}\n\n`],
  ])("over HTTP, %s", async (_, type, written) => {
    const server = await startRecorder();
    const gateway = await startGateway(server.url, limits);
    ends.push(
      () => gateway.close(),
      () => server.close(),
    );
    server.answer = (_request, response) =>
      void response
        .writeHead(200, { "Content-Type": type })
        .end(written('{"jsonrpc":"2.0","id":1,"result":{"seen":1}}'));
    expect((await send(gateway.url, call(1, "rows"))).text).toContain('"seen":1');
    expect((await send(gateway.url, call(1, "rows"))).json.result.isError).toBe(true);
    expect(server.received).toHaveLength(1);
  });
});
