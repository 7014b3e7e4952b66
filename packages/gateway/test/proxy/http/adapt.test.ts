import { memoryStore } from "sluice";
import type { AdaptEvent } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { call, type Recorder, send, startGateway, startRecorder, type TestGateway } from "./gateway.ts";

let server: Recorder;
let gateway: TestGateway;
let events: AdaptEvent[];
const clock = manualClock();

beforeEach(async () => {
  events = [];
  server = await startRecorder();
  gateway = await startGateway(server.url, {
    store: memoryStore({ clock }),
    policies: [{ name: "all", key: "everyone", quota: "1000/min", adapt: true }],
    onAdapt: (event) => events.push(event),
  });
});

afterEach(async () => {
  await gateway.close();
  await server.close();
});

async function ask(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await send(gateway.url, call(i, "x"));
  clock.advanceSync(10_000);
  await send(gateway.url, call(99, "x"));
}

describe("a policy that adapts itself hears that the server behind", () => {
  it.each([500, 503, 429])("answers %i", async (status) => {
    server.answer = (_request, response) => void response.writeHead(status).end("no");
    await ask(10);
    expect(events).toEqual([{ policy: "all", level: 0.7 }]);
  });

  it("does not answer", async () => {
    server.answer = (request) => void request.socket.destroy();
    await ask(10);
    expect(events).toEqual([{ policy: "all", level: 0.7 }]);
  });

  it("says that it failed inside", async () => {
    server.answer = (_request, response, body) => {
      const { id } = JSON.parse(String(body));
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32_603, message: "no" } }));
    };
    await ask(10);
    expect(events).toEqual([{ policy: "all", level: 0.7 }]);
  });

  it.each([
    ["seconds", () => "30"],
    ["a date", () => new Date(Date.now() + 30_000).toUTCString()],
  ])("wants to be left alone: %s", async (_, retryAfter) => {
    server.answer = (_request, response) => void response.writeHead(429, { "Retry-After": retryAfter() }).end();
    await ask(1);
    expect(events).toEqual([{ policy: "all", level: 0.1 }]);
  });

  it.each([200, 400, 401, 404])("answers %i, which clients can bring about", async (status) => {
    server.answer = (_request, response) => void response.writeHead(status).end();
    await ask(10);
    expect(events).toEqual([]);
  });
});
