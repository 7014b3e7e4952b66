import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  call,
  type GatewayOptions,
  type Recorder,
  send,
  startGateway,
  startRecorder,
  type TestGateway,
} from "./gateway.ts";

const limits = { tools: { search: "1/h" } } as const;
let upstream: Recorder;
let gateway: TestGateway;

async function start(options: GatewayOptions = {}, given: object = limits): Promise<void> {
  await gateway?.close();
  gateway = await startGateway(upstream.url, given, options);
}

beforeEach(async () => {
  upstream = await startRecorder();
  await start();
});

afterEach(async () => {
  await gateway.close();
  await upstream.close();
});

const post = (body: string | Buffer, options = {}) => send(gateway.url, body, options);

describe("what passes", () => {
  it("passes as it came: the body byte by byte, the headers in their spelling and order", async () => {
    const body =
      '{ "jsonrpc":"2.0", "id":1,\n"method":"tools/call","params":{"name":"sum","arguments":{"n":12345678901234567890}} }';
    await post(body, {
      headers: { "X-Odd-CASE": "1", "mcp-param-Region": "eu", Authorization: "Bearer x", Accept: "text/event-stream" },
    });
    const [received] = upstream.received;
    expect(received!.body.toString()).toBe(body);
    const names = received!.rawHeaders.filter((_, i) => i % 2 === 0);
    expect(names).toEqual(expect.arrayContaining(["X-Odd-CASE", "mcp-param-Region", "Authorization", "Accept"]));
    expect(received!.headers).toMatchObject({ authorization: "Bearer x", "content-length": String(body.length) });
  });

  it("comes with the Host that the client sent, and its address added to those before", async () => {
    await post(call(1, "sum"), { headers: { Host: "mcp.example:1234", "X-Forwarded-For": "192.0.2.7" } });
    expect(upstream.received[0]!.headers).toMatchObject({
      host: "mcp.example:1234",
      "x-forwarded-for": "192.0.2.7, 127.0.0.1",
    });
  });

  it("leaves the fields of the connection behind, and those that it names", async () => {
    await post(call(1, "sum"), {
      headers: { Connection: "close, X-Secret", "X-Secret": "1", "Proxy-Authorization": "x", TE: "trailers" },
    });
    const { headers } = upstream.received[0]!;
    for (const name of ["x-secret", "proxy-authorization", "te"]) expect(headers).not.toHaveProperty(name);
  });

  it("is answered as the server answers: status, headers and body", async () => {
    upstream.answer = (_request, response) =>
      void response
        .writeHead(404, { "Mcp-Session-Id": "s-1", "WWW-Authenticate": 'Bearer resource_metadata="x"', "X-Own": "1" })
        .end("no such session");
    const reply = await post(call(1, "sum"));
    expect(reply).toMatchObject({ status: 404, text: "no such session" });
    expect(reply.headers).toMatchObject({
      "mcp-session-id": "s-1",
      "www-authenticate": 'Bearer resource_metadata="x"',
      "x-own": "1",
    });
  });

  it("is every other request: streams, DELETE, OPTIONS, other paths, forms", async () => {
    await start({}, { perClient: "1/h" });
    await post(call(1, "search"));
    for (const method of ["GET", "DELETE", "OPTIONS", "HEAD"]) {
      expect((await send(gateway.url, undefined, { method })).status).toBe(200);
    }
    expect(
      (await send(gateway.url, undefined, { method: "GET", path: "/.well-known/oauth-protected-resource?x=1" })).status,
    ).toBe(200);
    const form = { headers: { "Content-Type": "application/x-www-form-urlencoded" }, path: "/token" };
    expect((await send(gateway.url, "grant_type=x", form)).status).toBe(200);
    expect(upstream.received.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "POST /mcp",
      "GET /mcp",
      "DELETE /mcp",
      "OPTIONS /mcp",
      "HEAD /mcp",
      "GET /.well-known/oauth-protected-resource?x=1",
      "POST /token",
    ]);
    expect(upstream.received.at(-1)!.body.toString()).toBe("grant_type=x");
  });

  it("is every notification and response", async () => {
    await start({}, { perClient: "1/h" });
    await post(call(1, "search"));
    for (const body of [
      '{"jsonrpc":"2.0","method":"notifications/initialized"}',
      '{"jsonrpc":"2.0","id":4,"result":{}}',
      '{"jsonrpc":"2.0","id":5,"method":"ping"}',
    ]) {
      expect((await post(body)).status).toBe(200);
    }
    expect(upstream.received).toHaveLength(4);
  });

  it("streams: the head and each event come when the server sends them", async () => {
    let more: () => void = () => {};
    upstream.answer = (_request, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
      response.write("data: 1\n\n");
      more = () => response.end("data: 2\n\n");
    };
    const outgoing = request(gateway.url, { headers: { accept: "text/event-stream" } }).end();
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    const ended = once(response, "end");
    const [first] = await once(response, "data");
    expect(String(first)).toBe("data: 1\n\n");
    more();
    const [second] = await once(response, "data");
    expect(String(second)).toBe("data: 2\n\n");
    await ended;
  });
});

describe("what is large", () => {
  it("passes whole to a client that takes its time, and no more of it than that is held", async () => {
    const size = 40 * 1024 * 1024;
    let written = 0;
    upstream.answer = (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024, "x");
      const more = () => {
        while (written < size) {
          written += chunk.length;
          if (!response.write(chunk)) return response.once("drain", more);
        }
        return response.end();
      };
      more();
    };
    const outgoing = request(gateway.url).end();
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    response.pause();
    // Nothing is read: sockets and the gateway fill up, and then nothing more is written.
    let before = -1;
    while (before !== written) {
      before = written;
      for (let i = 0; i < 200; i++) await new Promise(setImmediate);
    }
    expect(written).toBeLessThan(size / 2);
    let received = 0;
    for await (const chunk of response) received += (chunk as Buffer).length;
    expect(received).toBe(size);
  });

  it("passes to the server as it comes, where it is no message", async () => {
    const upload = Buffer.alloc(3_000_000, "y");
    const headers = { "Content-Type": "multipart/form-data; boundary=x" };
    for (const how of [{}, { "Transfer-Encoding": "chunked" }]) {
      await send(gateway.url, upload, { method: "PUT", path: "/upload", headers: { ...headers, ...how } });
      expect(upstream.received.at(-1)!.body.equals(upload)).toBe(true);
    }
  });
});

describe("every kind of answer", () => {
  it.each([
    ["204", (response: ServerResponse) => response.writeHead(204).end(), { status: 204, text: "" }],
    ["304", (response: ServerResponse) => response.writeHead(304, { ETag: '"x"' }).end(), { status: 304, text: "" }],
    [
      "500",
      (response: ServerResponse) => response.writeHead(500, "Oh Dear").end("oops"),
      { status: 500, text: "oops" },
    ],
    [
      "103 before 200",
      (response: ServerResponse) => {
        response.writeEarlyHints({ link: "</x>; rel=preload" });
        response.end("late");
      },
      { status: 200, text: "late" },
    ],
  ])("passes: %s", async (_, answered, expected) => {
    upstream.answer = (_request, response) => answered(response);
    expect(await send(gateway.url, undefined, { method: "GET" })).toMatchObject(expected);
  });

  it("keeps fields that stand several times, and their spelling", async () => {
    upstream.answer = (_request, response) =>
      void response.writeHead(200, ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Odd-CASE", "ü"]).end("{}");
    const fieldsOf = async (url: URL) => {
      const [response] = (await once(request(url).end(), "response")) as [IncomingMessage];
      response.resume();
      return response.rawHeaders.slice(0, 6);
    };
    const fields = await fieldsOf(gateway.url);
    expect(fields).toEqual(await fieldsOf(upstream.url));
    expect(fields.slice(0, 5)).toEqual(["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Odd-CASE"]);
  });
});

describe("what is refused", () => {
  it("is a result that the model reads, with status 200 and Retry-After; the server never hears of it", async () => {
    await post(call(1, "search"));
    const reply = await post(call(2, "search"));
    expect(reply).toMatchObject({ status: 200, json: { id: 2, result: { isError: true } } });
    expect(Number(reply.headers["retry-after"])).toBeGreaterThan(3_000);
    expect(reply.json.result.content[0].text).toContain('the tool "search" may be used 1 per hour');
    expect(upstream.received).toHaveLength(1);
  });

  it("has status 429 by option", async () => {
    await start({ httpStatus: 429 });
    await post(call(1, "search"));
    expect(await post(call(2, "search"))).toMatchObject({ status: 429, headers: { "retry-after": expect.anything() } });
  });

  it("is a whole batch", async () => {
    const reply = await post(`[${call(1, "search")},${call(2, "search")}]`);
    expect(reply.json.map(({ id }: any) => id)).toEqual([1, 2]);
    expect(upstream.received).toHaveLength(0);
  });

  it("can be read by a page that the server lets read", async () => {
    upstream.answer = ({ headers }, response) =>
      void response
        .writeHead(
          200,
          headers.origin === "https://good.example"
            ? { "Access-Control-Allow-Origin": headers.origin, Vary: "Origin" }
            : {},
        )
        .end("{}");
    const headers = (origin: string) => ({ headers: { Origin: origin } });
    await post(call(1, "search"), headers("https://good.example"));
    expect((await post(call(2, "search"), headers("https://good.example"))).headers).toMatchObject({
      "access-control-allow-origin": "https://good.example",
      "access-control-expose-headers": expect.stringContaining("Retry-After"),
      vary: "Origin",
    });
    await post(call(3, "sum"), headers("https://bad.example"));
    expect((await post(call(4, "search"), headers("https://bad.example"))).headers).not.toHaveProperty(
      "access-control-allow-origin",
    );
  });
});

describe("a message that the limiter and the server could read differently", () => {
  const twice = '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"search"}}';

  it.each([
    ["keys that stand twice", twice, {}, 400],
    ["another spelling", '{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call"}', {}, 400],
    ["no JSON", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"x":NaN}}', {}, 400],
    ["no UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), {}, 400],
    ["compressed", gzipSync(call(1, "search")), { "Content-Encoding": "gzip" }, 415],
    [
      "another charset",
      Buffer.from(call(1, "search"), "utf16le"),
      { "Content-Type": "application/json; charset=utf-16" },
      415,
    ],
  ])("is not passed on: %s", async (_, body, headers, status) => {
    expect(await post(body, { headers })).toMatchObject({ status, json: { error: { code: expect.any(Number) } } });
    expect(upstream.received).toHaveLength(0);
  });

  it.each(["/mcp/", "//mcp", "/MCP", "/%6dcp", "/%256dcp", "/x/../mcp", "/mcp?x=1", "/mcp;v=1", "/./mcp"])(
    "is counted on every path that a server may take for its own: %s",
    async (path) => {
      await post(call(1, "search"));
      expect((await post(call(2, "search"), { path })).json.result.isError).toBe(true);
      expect(await post(twice, { path })).toMatchObject({ status: 400 });
    },
  );

  it("is counted on another path, where a client of the old transport posts", async () => {
    await post(call(1, "search"));
    expect((await post(call(2, "search"), { path: "/messages?sessionId=1" })).status).toBe(429);
    expect((await post(twice, { path: "/messages" })).status).toBe(400);
    expect((await post('{"some":"json"}', { path: "/api" })).status).toBe(200);
    expect((await post("not json", { path: "/api" })).status).toBe(200);
  });

  it.each([
    ["Mcp-Method", { "Mcp-Method": "ping" }],
    ["Mcp-Name", { "Mcp-Method": "tools/call", "Mcp-Name": "sum" }],
    ["Mcp-Name in base64", { "Mcp-Name": `=?base64?${Buffer.from("sum").toString("base64")}?=` }],
  ])("is not passed on when its headers contradict it (2026-07-28): %s", async (_, headers) => {
    const version = { "MCP-Protocol-Version": "2026-07-28" };
    expect(await post(call(5, "search"), { headers: { ...version, ...headers } })).toMatchObject({
      status: 400,
      json: { id: 5, error: { code: -32_020 } },
    });
    expect(upstream.received).toHaveLength(0);
    const right = { "Mcp-Method": "tools/call", "Mcp-Name": `=?base64?${Buffer.from("search").toString("base64")}?=` };
    expect((await post(call(5, "search"), { headers: { ...version, ...right } })).status).toBe(200);
    // Older revisions have no such headers: whatever a client puts there means nothing.
    expect((await post(call(6, "sum"), { headers: { ...headers, "MCP-Protocol-Version": "2025-11-25" } })).status).toBe(
      200,
    );
  });
});

describe("a body that is too large", () => {
  it("is answered with 413, whether its size is told or not", async () => {
    await start({ maxMessageBytes: 1_000 });
    const large = call(1, "sum", { text: "x".repeat(2_000) });
    expect(await post(large)).toMatchObject({
      status: 413,
      json: { error: { message: expect.stringContaining("1000 bytes") } },
    });
    expect(await post(large, { headers: { "Transfer-Encoding": "chunked" } })).toMatchObject({ status: 413 });
    expect(upstream.received).toHaveLength(0);
  });
});

describe("a server that does not answer", () => {
  it("is a 502, with the id of the request", async () => {
    await upstream.close();
    expect(await post(call(9, "sum"))).toMatchObject({ status: 502, json: { id: 9, error: { code: -32_603 } } });
  });

  it("that breaks off in the middle of an answer breaks off the client's", async () => {
    upstream.answer = (_request, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write("data: 1\n\n");
      setImmediate(() => response.destroy());
    };
    await expect(post(call(1, "sum"))).rejects.toThrow();
    // Places went back, and the gateway goes on.
    expect(
      (await send(gateway.url, undefined, { method: "OPTIONS" }).catch(() => ({ status: "broken off" }))).status,
    ).toBeDefined();
  });
});

describe("a client that leaves", () => {
  it("ends the request to the server, too", async () => {
    const left = new Promise<void>((resolve) => {
      upstream.answer = (_request, response) => {
        response.writeHead(200, { "Content-Type": "text/event-stream" }).write("data: 1\n\n");
        response.on("close", resolve);
      };
    });
    const outgoing = request(gateway.url, { method: "POST" }).on("error", () => {});
    outgoing.end(call(1, "sum"));
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    response.on("error", () => {});
    await once(response, "data");
    outgoing.destroy();
    await left;
  });

  it("while its call waits is not charged, and the server never hears of it", async () => {
    await start({}, { tools: { slow: { concurrency: 1 } }, wait: { maxWaitMs: 20_000 } });
    const answers: (() => void)[] = [];
    upstream.answer = ({ method }, response) =>
      method === "POST" ? answers.push(() => response.end("{}")) : response.end();
    const first = post(call(1, "slow"));
    while (answers.length === 0) await new Promise(setImmediate);
    const impatient = request(gateway.url, { method: "POST" }).on("error", () => {});
    impatient.end(call(2, "slow"));
    await once(impatient, "finish");
    const third = post(call(3, "slow"));
    impatient.destroy();
    // What is asked after that is answered after the gateway has seen it.
    for (let i = 0; i < 3; i++) await send(gateway.url, undefined, { method: "OPTIONS" });
    answers.shift()!();
    await first;
    while (answers.length === 0) await new Promise(setImmediate);
    answers.shift()!();
    await third;
    const posted = upstream.received.filter(({ method }) => method === "POST");
    expect(posted.map(({ body }) => JSON.parse(String(body)).id)).toEqual([1, 3]);
  });
});

describe("places", () => {
  it("go back when the answer has been read to its end", async () => {
    await start({}, { tools: { slow: { concurrency: 1 } } });
    let end: () => void = () => {};
    upstream.answer = (_request, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write("data: 1\n\n");
      end = () => response.end();
    };
    const outgoing = request(gateway.url, { method: "POST" });
    outgoing.end(call(1, "slow"));
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    await once(response, "data");
    expect((await post(call(2, "slow"))).json.result.isError).toBe(true);
    end();
    response.resume();
    await once(response, "end");
    upstream.answer = (_request, answer) => void answer.end("{}");
    expect((await post(call(3, "slow"))).text).toBe("{}");
  });
});

describe("a loop", () => {
  it.each([
    ["JSON", "application/json", (json: string) => json],
    ["a stream of events", "text/event-stream", (json: string) => `event: message\ndata: ${json}\n\n`],
  ])("is seen in the answers of the server: %s", async (_, type, written) => {
    await start({}, { loops: { warnAfter: 2, slowMs: 0 } });
    upstream.answer = (_request, response, body) => {
      const { id } = JSON.parse(String(body));
      response
        .writeHead(200, { "Content-Type": type })
        .end(written(JSON.stringify({ jsonrpc: "2.0", id, result: { same: true } })));
    };
    for (const id of [1, 2]) expect((await post(call(id, "same"))).text).toContain('"same":true');
    const warned = await post(call(3, "same"));
    expect(warned.json.result.content[0].text).toContain('the tool "same" 2 times');
    expect(warned.headers).not.toHaveProperty("retry-after");
    expect((await post(call(4, "same"))).text).toContain('"same":true');
    expect(upstream.received).toHaveLength(3);
  });
});

describe("stopping", () => {
  it("lets what runs end, and takes nothing new", async () => {
    let end: () => void = () => {};
    const began = new Promise<void>((resolve) => {
      upstream.answer = (_request, response) => {
        end = () => response.end("{}");
        resolve();
      };
    });
    const running = post(call(1, "sum"));
    await began;
    const closed = gateway.close(10_000);
    await expect(post(call(2, "sum"))).rejects.toThrow("ECONNREFUSED");
    end();
    expect((await running).text).toBe("{}");
    await closed;
  });
});
