import { memoryStore } from "sluice";
import { createUpstreams, OutboundError, type UpstreamsConfig } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { expect, it } from "vitest";
import { api, recording } from "./recording.ts";

function setup<const C extends UpstreamsConfig>(config: C) {
  const record = recording();
  const clock = manualClock();
  const bare = createUpstreams(config, { store: memoryStore({ clock }), onEvent: record.telemetry.onEvent });
  return { ...record, clock, upstreams: record.telemetry.upstreams(bare) };
}

const parentOf = (span: any) => span.parentSpanContext?.spanId;

it("gives each attempt a span, and sends that along", async () => {
  const sent: (string | null)[] = [];
  const own: (string | null)[] = [];
  const fetch = (async (_input: unknown, init: RequestInit) => {
    sent.push(new Headers(init.headers).get("traceparent"));
    own.push(new Headers(init.headers).get("x-own"));
    return new Response("", { status: sent.length === 1 ? 503 : 200 });
  }) as typeof globalThis.fetch;
  const { upstreams, spans, clock, tracer } = setup({ api: { fetch, retry: { attempts: 2 } } });
  const agent = tracer.startSpan("agent");
  const done = api.context.with(api.trace.setSpan(api.context.active(), agent), () =>
    upstreams.api.fetch(new Request("https://api.example:8443/price?key=secret", { headers: { "x-own": "1" } })),
  );
  await expect.poll(() => clock.pending).toBeGreaterThan(0);
  await clock.advance(60_000);
  expect((await done).status).toBe(200);

  const attempts = spans().filter(({ name }) => name === "GET");
  expect(attempts.map(({ attributes }) => attributes)).toEqual([
    {
      "rate_limit.upstream": "api",
      "http.request.method": "GET",
      "url.full": "https://api.example:8443/price",
      "server.address": "api.example",
      "server.port": 8443,
      "http.response.status_code": 503,
      "error.type": "503",
    },
    expect.objectContaining({ "http.request.resend_count": 1, "http.response.status_code": 200 }),
  ]);
  expect(attempts.map(({ status }) => status.code)).toEqual([api.SpanStatusCode.ERROR, api.SpanStatusCode.UNSET]);
  expect(attempts.map(parentOf)).toEqual(Array(2).fill(agent.spanContext().spanId));
  expect(own).toEqual(["1", "1"]);
  expect(sent).toEqual(attempts.map((one) => `00-${one.spanContext().traceId}-${one.spanContext().spanId}-01`));
});

it("keeps the fields of the request", async () => {
  let headers: Headers | undefined;
  const fetch = (async (_input: unknown, init: RequestInit) => {
    headers = new Headers(init.headers);
    return new Response("");
  }) as typeof globalThis.fetch;
  const { upstreams } = setup({ api: "9/min" });
  await upstreams.api.fetch("https://api.example/", { headers: { "x-own": "1" } }, { fetch });
  expect([headers?.get("x-own"), headers?.has("traceparent")]).toEqual(["1", true]);
});

it("gives waiting a span of its own", async () => {
  const { upstreams, span, spans, clock, points, tracer } = setup({ api: "1/10s" });
  await upstreams.api.run(() => "first");
  const agent = tracer.startSpan("agent");
  let inside: unknown;
  const second = api.context.with(api.trace.setSpan(api.context.active(), agent), () =>
    upstreams.api.run(() => {
      inside = api.trace.getActiveSpan()?.spanContext().spanId;
      return "second";
    }),
  );
  await clock.advance(10_000);
  expect(await second).toBe("second");

  expect(span("wait api")).toMatchObject({ kind: api.SpanKind.INTERNAL, attributes: { "rate_limit.upstream": "api" } });
  const attempts = spans().filter(({ name }) => name === "api");
  expect(attempts.map(({ kind }) => kind)).toEqual([api.SpanKind.CLIENT, api.SpanKind.CLIENT]);
  expect([parentOf(span("wait api")), parentOf(attempts[1])]).toEqual(Array(2).fill(agent.spanContext().spanId));
  expect(inside).toBe(attempts[1]!.spanContext().spanId);
  const decisions = await points("rate_limit.decisions");
  expect(decisions.map(({ attributes, value }) => [attributes["rate_limit.decision"], value])).toEqual([
    ["allow", 1],
    ["wait", 1],
  ]);
  expect((await points("rate_limit.wait.duration")).map(({ value }) => value.sum)).toEqual([10]);
});

it("says of a call that was not made why not", async () => {
  const { upstreams, span, spans, points } = setup({ api: { limit: "1/10s", maxWaitMs: 1_000 } });
  await upstreams.api.run(() => "first");
  const refusal: OutboundError = await upstreams.api.run(() => "second").catch((error) => error);
  expect(refusal).toBeInstanceOf(OutboundError);
  expect(span("wait api")).toMatchObject({
    attributes: { "error.type": "deadline", "rate_limit.decision": "deny", "rate_limit.retry_after": 9 },
    status: { code: api.SpanStatusCode.ERROR },
  });
  expect(spans().filter(({ name }) => name === "api")).toHaveLength(1);
  const denied = (await points("rate_limit.decisions")).find((one) => one.attributes["rate_limit.decision"] === "deny");
  expect(denied.attributes).toEqual({
    "rate_limit.decision": "deny",
    "rate_limit.policy": "api",
    "rate_limit.kind": "upstream",
    "error.type": "deadline",
  });
});

it("passes on what the call throws", async () => {
  const { upstreams, span } = setup({ api: { retry: false } });
  const failure = new RangeError("no");
  await expect(upstreams.api.run(() => Promise.reject(failure))).rejects.toBe(failure);
  expect(span("api")).toMatchObject({ attributes: { "error.type": "RangeError" }, status: { code: 2 } });
});

it("leaves names, statistics and closing as they are", async () => {
  const { upstreams } = setup({ api: "5/min" });
  expect(upstreams.api.name).toBe("api");
  await upstreams.api.run(() => 1);
  expect(upstreams.api.stats().started).toBe(1);
  expect(() => (upstreams as any).other).toThrow('There is no upstream "other"');
  await upstreams.close();
  await expect(upstreams.api.run(() => 1)).rejects.toMatchObject({ reason: "closed" });
});
