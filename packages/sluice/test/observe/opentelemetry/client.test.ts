import { describe, expect, it } from "vitest";
import { api, recording } from "./recording.ts";

/** A client's transport, and what it sends. */
async function setup(send: (message: any) => Promise<void> = async () => {}) {
  const record = recording();
  const sent: any[] = [];
  const transport: any = {
    send: (message: any) => {
      sent.push(message);
      return send(message);
    },
    close: async () => {},
  };
  const client = {
    async connect(given: any) {
      given.onmessage = () => {};
    },
  };
  await record.telemetry.client(client).connect(transport);
  const ask = (id: number, params: object = { name: "echo" }) =>
    transport.send({ jsonrpc: "2.0", id, method: "tools/call", params });
  return { ...record, transport, sent, ask };
}

describe("a client", () => {
  it("sends its trace along, and leaves the rest of the request as it is", async () => {
    const { ask, sent, transport, span } = await setup();
    await ask(1, { name: "echo", arguments: { a: 1 }, _meta: { progressToken: 7 } });
    transport.onmessage({ jsonrpc: "2.0", id: 1, result: { content: [] } });
    const { traceId, spanId } = span("tools/call echo").spanContext();
    expect(sent).toEqual([
      {
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: {
          name: "echo",
          arguments: { a: 1 },
          _meta: { progressToken: 7, traceparent: `00-${traceId}-${spanId}-01` },
        },
      },
    ]);
    expect(span("tools/call echo").kind).toBe(api.SpanKind.CLIENT);
  });

  it("says what was wrong", async () => {
    const { ask, transport, span } = await setup();
    await ask(1);
    transport.onmessage({ jsonrpc: "2.0", id: 1, error: { code: -32_601, message: "Method not found" } });
    expect(span("tools/call")).toMatchObject({
      attributes: { "error.type": "-32601", "rpc.response.status_code": "-32601" },
      status: { code: api.SpanStatusCode.ERROR, message: "Method not found" },
    });
  });

  it("hears that nothing could be sent, that it was given up, and that the connection is over", async () => {
    const broken = await setup(async () => Promise.reject(new TypeError("fetch failed")));
    await expect(broken.ask(1)).rejects.toThrow("fetch failed");
    expect(broken.spans().map(({ attributes }) => attributes["error.type"])).toEqual(["TypeError"]);

    const { ask, transport, spans } = await setup();
    transport.onclose = () => {};
    await ask(1);
    await ask(2);
    await transport.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
    transport.onclose();
    expect(spans().map(({ attributes }) => attributes["error.type"])).toEqual(["cancelled", "connection_closed"]);
  });

  it("does not touch answers, notifications, nor requests of the server", async () => {
    const { transport, sent, spans } = await setup();
    const messages = [
      { jsonrpc: "2.0", id: 1, result: {} },
      { jsonrpc: "2.0", method: "notifications/initialized" },
    ];
    for (const message of messages) await transport.send(message);
    transport.onmessage({ jsonrpc: "2.0", id: 1, method: "sampling/createMessage", params: {} });
    expect(sent).toEqual(messages);
    expect(spans()).toEqual([]);
  });
});
