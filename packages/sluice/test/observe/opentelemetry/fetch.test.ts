import { memoryStore } from "sluice";
import { limitFetch } from "sluice/mcp";
import { expect, it } from "vitest";
import { api, recording, TRACE } from "./recording.ts";

type Handler = (request: Request) => Promise<Response>;

const request = (id: number, name = "echo") => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: {}, _meta: TRACE.meta },
});
const answer = (id: number) => ({ jsonrpc: "2.0", id, result: { content: [] } });

function setup(handler: Handler, options?: { maxBodyBytes: number }) {
  const record = recording();
  const fetch = record.telemetry.fetch(handler, options);
  const post = (body: unknown) =>
    fetch(
      new Request("http://127.0.0.1/mcp", {
        method: "POST",
        headers: { "mcp-session-id": "session-1", "mcp-protocol-version": "2025-11-25" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    );
  return { ...record, fetch, post };
}

it("ends a span when its answer has passed", async () => {
  const { post, span } = setup(async () => Response.json(answer(1)));
  expect(await (await post(request(1))).json()).toEqual(answer(1));
  expect(span("tools/call echo")).toMatchObject({
    kind: api.SpanKind.SERVER,
    parentSpanContext: { spanId: TRACE.spanId },
    attributes: { "mcp.session.id": "session-1", "mcp.protocol.version": "2025-11-25", "network.transport": "tcp" },
    status: { code: api.SpanStatusCode.UNSET },
  });
});

it("finds answers in a stream of events, before it has ended", async () => {
  let end = () => {};
  const { post, spans } = setup(async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(answer(1))}\n\n`));
        end = () => controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const reader = (await post(request(1))).body!.getReader();
  await reader.read();
  expect(spans()).toHaveLength(1);
  end();
  expect((await reader.read()).done).toBe(true);
});

it.each([
  ["a status that is an error", async () => new Response("no", { status: 404 }), "404"],
  ["an error without a body", async () => new Response(null, { status: 401 }), "401"],
  ["a body without an answer", async () => new Response(null, { status: 202 }), undefined],
  ["an answer too large to look at", async () => Response.json({ ...answer(1), x: "x".repeat(300_000) }), undefined],
])("ends a span with %s", async (_what, handler: Handler, errorType) => {
  const { post, spans } = setup(handler);
  await (await post(request(1))).text();
  expect(spans().map(({ attributes }) => attributes["error.type"])).toEqual([errorType]);
});

it("ends a span when the client leaves, and when the handler throws", async () => {
  const body = () => new ReadableStream({ pull: () => new Promise(() => {}) });
  const leaving = setup(async () => new Response(body()));
  await (await leaving.post(request(1))).body!.cancel();
  expect(leaving.spans().map(({ attributes }) => attributes["error.type"])).toEqual(["connection_closed"]);

  const throwing = setup(async () => Promise.reject(new RangeError("no")));
  await expect(throwing.post(request(1))).rejects.toThrow("no");
  expect(throwing.spans().map(({ attributes }) => attributes["error.type"])).toEqual(["RangeError"]);
});

it("gives each request of a batch a span, with its own decision", async () => {
  const record = recording();
  const handler = limitFetch(async () => Response.json([answer(1), answer(2)]), {
    store: memoryStore(),
    client: () => "one",
    tools: { first: "5/min", second: "7/min" },
    ...record.telemetry.listeners,
  });
  const body = JSON.stringify([request(1, "first"), request(2, "second")]);
  await (await record.telemetry.fetch(handler)(new Request("http://127.0.0.1/", { method: "POST", body }))).text();
  const spans = ["first", "second"].map((name) => record.span(`tools/call ${name}`));
  // Limits decide about a batch together: what matters most is said of each.
  expect(spans.map(({ attributes }) => attributes["rate_limit.decision"])).toEqual(["allow", "allow"]);
  expect(spans.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([TRACE.spanId, TRACE.spanId]);
});

it("leaves alone what is no request, and what it does not read", async () => {
  const seen: string[] = [];
  const { fetch, post, spans } = setup(
    async (given) => {
      seen.push(given.method === "GET" ? "GET" : await given.text());
      return new Response(null, { status: 202 });
    },
    { maxBodyBytes: 200 },
  );
  await fetch(new Request("http://127.0.0.1/mcp"));
  await post("{ no JSON");
  await post({ jsonrpc: "2.0", method: "notifications/initialized" });
  const large = JSON.stringify(request(1, "x".repeat(300)));
  await post(large);
  expect(seen).toEqual(["GET", "{ no JSON", '{"jsonrpc":"2.0","method":"notifications/initialized"}', large]);
  expect(spans()).toEqual([]);
});
