import { memoryStore } from "sluice";
import { createMcpGate, limitFetch, type McpRateLimitOptions, type TicketOptions, withoutTicket } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "./clients.ts";
import { setup } from "./fake-transport.ts";
import { type Listening, listenWithHandler, newLog, v2Server } from "./servers.ts";

const META = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };

function scene(tickets: true | TicketOptions = true, options: McpRateLimitOptions = {}) {
  const clock = manualClock();
  const gate = createMcpGate({ store: memoryStore({ clock }), tools: { t: "1/5s" }, tickets, ...options });
  let id = 0;
  /** Sends a call and lets so much time pass. Returns what the client gets, or "runs". */
  const send = async (params: object, ms = 0, connection = "a"): Promise<any> => {
    const request = {
      jsonrpc: "2.0" as const,
      id: ++id,
      method: "tools/call",
      params: { name: "t", arguments: { q: 1 }, _meta: META, ...params },
    };
    const admitted = Promise.resolve(gate.admit([request], { connection }));
    // What is asked of WebCrypto comes back on a turn of its own.
    const decided = admitted.then((admission) =>
      admission.refusal === undefined
        ? { runs: true, ticket: admission.ticket }
        : (gate.refuse(request, admission.refusal) as any).result,
    );
    let isDone = false;
    void decided.finally(() => {
      isDone = true;
    });
    for (let turns = 0; turns < 20 && !isDone; turns++) await new Promise(setImmediate);
    if (ms > 0) await clock.advance(ms);
    return decided;
  };
  return { clock, gate, send };
}

describe("a call that waits in rounds", () => {
  it("is held, asked to come again, and runs when its time has come", async () => {
    const { send } = scene();
    expect(await send({})).toMatchObject({ runs: true });
    const first = await send({}, 2_000);
    expect(first).toEqual({ resultType: "input_required", requestState: expect.stringMatching(/^sluice-ticket\.1\./) });
    const second = await send(first, 2_000);
    expect(second.requestState).toMatch(/^sluice-ticket\.2\./);
    expect(await send(second, 1_000)).toEqual({ runs: true, ticket: second.requestState });
  });

  it("is refused as usual when it would have to wait longer than its rounds take", async () => {
    const { send } = scene({ holdMs: 2_000, maxRounds: 2 });
    await send({});
    expect(await send({})).toMatchObject({ resultType: "complete", isError: true });
  });

  it("is refused when it has waited enough, and when its ticket is not good", async () => {
    const { clock, send } = scene({ holdMs: 1_000, maxRounds: 6 });
    await send({});
    const { requestState } = await send({}, 1_000);
    const [prefix, round, since, signature] = requestState.split(".");
    const bad = [
      `${prefix}.${round}.${since}.${"A".repeat(22)}`,
      `${prefix}.0.${since}.${signature}`,
      `${prefix}.${round}.${Number(since) + 1}.${signature}`,
      `${prefix}.x`,
    ];
    for (const state of bad) expect(await send({ requestState: state })).toMatchObject({ isError: true });
    // Of somebody else, and for another call.
    const other = createMcpGate({ store: memoryStore({ clock }), tickets: true, tools: { t: "1/5s" } });
    expect(other.waits).toBe(true);
    expect(await send({ requestState, arguments: { q: 2 } })).toMatchObject({ isError: true });
    expect((await send({ requestState }, 1_000)).requestState).toMatch(/^sluice-ticket\.2\./);
    await clock.advance(3_000);
    expect(await send({}, 0)).toMatchObject({ runs: true });
    await clock.advance(120_000);
    await send({});
    expect(await send({ requestState })).toMatchObject({ isError: true });
  });

  it("belongs to one client", async () => {
    const { send } = scene();
    await send({});
    const { requestState } = await send({}, 2_000);
    await send({}, 0, "b");
    expect(await send({ requestState }, 0, "b")).toMatchObject({ isError: true });
  });

  it("does not wait when it answers a server, comes from an old client, or came with others", async () => {
    const { gate, send } = scene();
    await send({});
    expect(await send({ requestState: "of the server" })).toMatchObject({ isError: true });
    expect(await send({ inputResponses: {} })).toMatchObject({ isError: true });
    expect(await send({ _meta: { "io.modelcontextprotocol/protocolVersion": "2025-11-25" } })).toMatchObject({
      isError: true,
    });
    expect(await send({ _meta: undefined })).toMatchObject({ isError: true });
    const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t", _meta: META } } as const;
    const both = await gate.admit([request, { ...request, id: 2 }], { connection: "a" });
    expect(both.refusal).toBeDefined();
    expect(both.refusal).not.toHaveProperty("ticket");
  });

  it("stops waiting when the client leaves", async () => {
    const { clock, gate, send } = scene();
    await send({});
    const controller = new AbortController();
    const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t", _meta: META } } as const;
    const waiting = gate.admit([request], { connection: "a" }, controller.signal);
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    controller.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    expect(clock.pending).toBe(0);
  });

  it("is signed alike by processes that have one secret", async () => {
    const secret = "a secret of both processes";
    const [one, other] = [scene({ secret }), scene({ secret })];
    await one.send({});
    await other.send({});
    const { requestState } = await one.send({}, 2_000);
    expect((await other.send({ requestState }, 2_000)).requestState).toMatch(/^sluice-ticket\.2\./);
  });

  it.each([
    [5, TypeError],
    [{ holdMs: 1 }, RangeError],
    [{ holdMs: 31_000 }, RangeError],
    [{ maxRounds: 0 }, RangeError],
    [{ secret: "short" }, RangeError],
  ])("cannot be %j", (tickets, error) => {
    expect(() => createMcpGate({ tickets: tickets as never })).toThrow(error as typeof TypeError);
  });
});

describe("the ticket", () => {
  const ticket = "sluice-ticket.1.1234567890123.abc-_EFGHIJKLMNOPQRSTU";

  it.each([
    [`{"params":{"requestState":"${ticket}","n":1.0}}`, '{"params":{"n":1.0}}'],
    [`{"params":{"n":1.0 , "requestState" : "${ticket}" }}`, '{"params":{"n":1.0  }}'],
    [
      `{"params":{"a":1,"requestState":"${ticket}","n":12345678901234567890}}`,
      '{"params":{"a":1,"n":12345678901234567890}}',
    ],
    [`{"params":{"requestState":"${ticket}"}}`, '{"params":{}}'],
    [`{"params":{"a":"\\"requestState\\":\\"${ticket}\\""}}`, `{"params":{"a":"\\"requestState\\":\\"${ticket}\\""}}`],
  ])("is taken out of %s", (text, without) => {
    expect(withoutTicket(text, ticket)).toBe(without);
  });

  it("is not passed to a server behind a transport", async () => {
    const { delivered, sent, call, clock } = setup({ tools: { echo: "1/5s" }, tickets: true });
    const wire = async (id: number, params: object, ms: number) => {
      call(id, "echo", undefined, { _meta: META, ...params });
      for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
      await clock.advance(ms);
      for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    };
    await wire(1, {}, 0);
    await wire(2, {}, 2_000);
    const { requestState } = sent[0].result;
    await clock.advance(3_000);
    await wire(3, { requestState }, 0);
    expect(delivered.map(({ id }) => id)).toEqual([1, 3]);
    expect(delivered[1].params).toEqual({ name: "echo", arguments: {}, _meta: META });
  });
});

describe("the official client", () => {
  let server: Listening;
  afterEach(() => server.close());

  it("comes again by itself, and its tool runs once, without the ticket", async () => {
    const log = newLog();
    const bodies: string[] = [];
    server = await listenWithHandler(
      () => v2Server(log),
      (fetch) =>
        limitFetch(
          async (request, context) => {
            bodies.push(await request.clone().text());
            return fetch(request, context);
          },
          { store: memoryStore(), tools: { echo: "1/s" }, tickets: { holdMs: 150 } },
        ),
    );
    const client = await connect("v2 modern", { url: server.url });
    for (const text of ["a", "b"])
      expect((await client.callTool({ name: "echo", arguments: { text } })).content[0].text).toBe(text);
    expect(log.runs).toEqual(["echo a", "echo b"]);
    expect(bodies.join()).not.toContain("sluice-ticket");
    await client.close();
  });
});
