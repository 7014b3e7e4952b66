import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../../sluice/test/inbound/mcp/clients.ts";
import { type Listening, listenWithHandler, newLog, v2Server } from "../../../sluice/test/inbound/mcp/servers.ts";
import { send, startGateway, startRecorder } from "./http/gateway.ts";
import { scripted } from "./scripted.ts";

const limits = { tools: { echo: "1/s" }, tickets: { holdMs: 150 } };
const ends: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(ends.splice(0).map((end) => end())));

/** With a number that does not survive being parsed, around the ticket. */
const message = (id: number, ticket?: string) =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo",${
    ticket === undefined ? "" : `"requestState":"${ticket}",`
  }"arguments":{"n":12345678901234567890},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`;

describe("a call that waits in rounds passes without its ticket, byte by byte", () => {
  it("over HTTP", async () => {
    const server = await startRecorder();
    const gateway = await startGateway(server.url, limits);
    ends.push(
      () => gateway.close(),
      () => server.close(),
    );
    await send(gateway.url, message(1));
    let ticket: string | undefined;
    for (;;) {
      const { result } = (await send(gateway.url, message(2, ticket))).json;
      if (result.resultType === undefined) break;
      expect(result.resultType).toBe("input_required");
      ticket = result.requestState;
    }
    expect(ticket).toMatch(/^sluice-ticket\.[1-9]\./);
    expect(server.received.map(({ body }) => String(body))).toEqual([message(1), message(2)]);
    expect(server.received[1]!.headers["content-length"]).toBe(String(message(2).length));
  });

  it("over stdio", async () => {
    const proxy = scripted(limits);
    const wire = async (id: number, ticket?: string) => {
      proxy.send(`${message(id, ticket)}\n`);
      return proxy.next();
    };
    await wire(1);
    let ticket: string | undefined;
    for (let id = 2; ; id++) {
      const { result } = await wire(id, ticket);
      if (result.resultType !== "input_required") break;
      ticket = result.requestState;
    }
    expect(ticket).toBeDefined();
    const seen = await proxy.end();
    expect(seen[0]).toBe(message(1));
    expect(seen[1]!.replace(/"id":\d+/, "")).toBe(message(2).replace(/"id":\d+/, ""));
  });
});

it("the official client comes again by itself through the gateway", async () => {
  const log = newLog();
  const server: Listening = await listenWithHandler(() => v2Server(log));
  const gateway = await startGateway(server.url, limits);
  const client = await connect("v2 modern", { url: gateway.url });
  ends.push(
    () => client.close(),
    () => gateway.close(),
    () => server.close(),
  );
  for (const text of ["a", "b"])
    expect((await client.callTool({ name: "echo", arguments: { text } })).content[0].text).toBe(text);
  expect(log.runs).toEqual(["echo a", "echo b"]);
});
