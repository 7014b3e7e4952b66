// A client calls a tool too often; then the metrics and the log say what happened, and not who it was that asked for what.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { pino } from "pino";
import { readRefusal } from "sluice/mcp";
import { startServer } from "./server.ts";

// The API behind fails once.
let asked = 0;
const prices = createServer((_request, response) => {
  asked++;
  response.writeHead(asked === 2 ? 503 : 200).end("2500");
});
await once(prices.listen(0, "127.0.0.1"), "listening");

const lines: string[] = [];
const stream = new Writable({
  write(chunk, _encoding, done) {
    lines.push(...String(chunk).trim().split("\n"));
    done();
  },
});
const server = await startServer(
  `http://127.0.0.1:${(prices.address() as AddressInfo).port}/price`,
  pino({ base: null }, stream),
);
const client = new Client({ name: "agent", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(new URL(`${server.origin}/mcp`)));

try {
  const answers = [];
  for (let i = 0; i < 6; i++) answers.push(await client.callTool({ name: "price", arguments: { id: "secret-coin" } }));
  assert.equal(answers.filter((answer) => readRefusal(answer) !== undefined).length, 3);

  const text = await (await fetch(`${server.origin}/metrics`)).text();
  /** The value of a series, by its name and some of its labels. */
  const value = (name: string, ...labels: readonly string[]): number => {
    const found = text
      .split("\n")
      .filter((line) => line.startsWith(name) && labels.every((label) => line.includes(label)));
    assert.equal(found.length, 1, `${name} ${labels}: ${found}`);
    console.log(found[0]);
    return Number(found[0]!.split(" ").at(-1));
  };
  assert.equal(value("sluice_decisions_total{", 'decision="allow"', 'policy="tools.price"', 'tool="price"'), 3);
  assert.equal(value("sluice_decisions_total{", 'decision="deny"', 'policy="tools.price"', 'tool="price"'), 3);
  // One of three calls left the limit half empty; the other two, and the refusals, more than that.
  assert.equal(value("sluice_utilization_ratio_bucket{", 'policy="tools.price"', 'le="0.5"'), 1);
  assert.equal(value("sluice_utilization_ratio_bucket{", 'policy="tools.price"', 'le="+Inf"'), 6);
  assert.equal(value("sluice_call_duration_seconds_count{", 'outcome="result"', 'tool="price"'), 3);
  assert.equal(value("sluice_inflight_calls{", 'tool="price"'), 0);
  assert.equal(value("sluice_upstream_attempts_total{", 'upstream="prices"', 'outcome="ok"'), 3);
  assert.equal(value("sluice_upstream_retries_total{", 'upstream="prices"'), 1);
  assert.ok(value("sluice_store_calls_total{", 'store="memory"') > 5);

  // The first refusal, and not the three of them.
  console.log(lines.join("\n"));
  assert.equal(lines.length, 1);
  assert.partialDeepStrictEqual(JSON.parse(lines[0]!), { msg: "refused", tool: "price", policy: "tools.price" });
  for (const secret of ["secret-coin", "127.0.0.1"]) assert.ok(!text.includes(secret));
  assert.ok(!lines.join().includes("secret-coin"));
} finally {
  await client.close();
  await server.close();
  prices.closeAllConnections();
  prices.close();
}
