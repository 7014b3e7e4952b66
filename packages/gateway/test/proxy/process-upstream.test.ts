import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { RATE_LIMIT_META } from "sluice/mcp";
import { afterEach, describe, expect, it } from "vitest";
import { clientKinds, connect } from "../../../sluice/test/inbound/mcp/clients.ts";
import { type ProcessUpstreamOptions, processUpstream } from "../../src/proxy/process/process-upstream.ts";
import { call, type GatewayOptions, send, startGateway, type TestGateway } from "./http/gateway.ts";

const SDK_SERVERS = "../../../sluice/test/inbound/mcp";
const fixture = (name: string) =>
  fileURLToPath(new URL(`${name === "plain-server" ? SDK_SERVERS : "../fixtures"}/${name}.ts`, import.meta.url));
const command = (name: string, ...args: string[]) =>
  [process.execPath, "--no-warnings", fixture(name), ...args] as const;
const MODERN = "2026-07-28";

let gateway: TestGateway;
const clients: any[] = [];

async function start(
  options: Partial<ProcessUpstreamOptions> & Pick<ProcessUpstreamOptions, "command">,
  limits = {},
  given: GatewayOptions = {},
): Promise<void> {
  gateway = await startGateway(processUpstream({ log: pino({ level: "silent" }), ...options }), limits, given);
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close().catch(() => {})));
  await gateway.close();
});

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
});

async function session(headers = {}): Promise<string> {
  const { headers: said } = await send(gateway.url, initialize, { headers });
  return String(said["mcp-session-id"]);
}

const modern = (id: unknown, name: string, meta = {}) =>
  JSON.stringify({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: { name, arguments: {}, _meta: { "io.modelcontextprotocol/protocolVersion": MODERN, ...meta } },
  });

const within = (id: string) => ({ headers: { "Mcp-Session-Id": id } });

describe.each(["v1", "v2"] as const)("a %s server over stdio, served over HTTP", (generation) => {
  const kinds = generation === "v1" ? (["v1", "v2 legacy"] as const) : clientKinds;

  it.each(kinds)("answers the official clients, under limits: %s", async (kind) => {
    await start({ command: command("plain-server", generation) }, { tools: { echo: "2/h" } });
    const both = await Promise.all([connect(kind, { url: gateway.url }), connect(kind, { url: gateway.url })]);
    clients.push(...both);
    const echo = (client: any, text: string) => client.callTool({ name: "echo", arguments: { text } });
    const [first, second] = await Promise.all([echo(both[0], "a"), echo(both[1], "b")]);
    expect([first.content[0].text, second.content[0].text]).toEqual(["a", "b"]);
    const refused = await echo(both[0], "c");
    expect(refused._meta[RATE_LIMIT_META]).toMatchObject({ rate_limited: true, limit: 2 });
    expect((await both[0].listTools()).tools.length).toBeGreaterThan(2);
    expect((await both[1].readResource({ uri: "note://1" })).contents[0].text).toBe("note");
  });
});

it("lets a client of the new era fall back to what an old server speaks", async () => {
  await start({ command: command("plain-server", "v1") });
  const client = await connect("v2 auto", { url: gateway.url });
  clients.push(client);
  expect((await client.callTool({ name: "echo", arguments: { text: "x" } })).content[0].text).toBe("x");
});

it("lets a server ask the client back, in the new era", async () => {
  await start({ command: command("plain-server", "v2") });
  let asked = 0;
  const client = await connect("v2 modern", { url: gateway.url }, () => asked++);
  clients.push(client);
  expect((await client.callTool({ name: "confirm", arguments: {} })).content[0].text).toBe("confirmed");
  expect(asked).toBe(1);
});

describe("a session", () => {
  it("is a server of its own, which gets messages as they came, in one line", async () => {
    await start({ command: command("scripted-server") });
    const [one, other] = [await session(), await session()];
    expect(one).not.toBe(other);
    const odd = '{ "jsonrpc":"2.0",\r\n "id":1,\n"method":"x","params":{"n":12345678901234567890} }';
    const { json } = await send(gateway.url, odd, within(one));
    expect(Buffer.from(json.result.line, "base64").toString()).toBe(odd.replace(/[\r\n]/g, " "));
    expect(json.result.seen).toBe(2);
    expect((await send(gateway.url, call(1, "a"), within(other))).json.result.seen).toBe(2);
  });

  it("is over after DELETE", async () => {
    await start({ command: command("scripted-server") });
    const id = await session();
    expect((await send(gateway.url, undefined, { method: "DELETE", ...within(id) })).status).toBe(200);
    const gone = await send(gateway.url, call(1, "a"), within(id));
    expect([gone.status, gone.json.error.message]).toEqual([404, expect.stringContaining("no such session")]);
  });

  it("is over when its server ends, and who waits is told", async () => {
    await start({ command: command("scripted-server") });
    const id = await session();
    const ended = await send(gateway.url, '{"jsonrpc":"2.0","id":"z","method":"exit","params":{"code":3}}', within(id));
    expect(ended).toMatchObject({ status: 502, json: { id: "z", error: { code: -32_603 } } });
    expect((await send(gateway.url, call(1, "a"), within(id))).status).toBe(404);
    expect(await session()).toMatch(/^[\da-f-]{36}$/);
  });

  it("is over when nothing happens", async () => {
    await start({ command: command("scripted-server"), idleMs: 1 });
    const id = await session();
    for (;;) if ((await send(gateway.url, call(1, "a"), within(id))).status === 404) break;
  });

  it("begins only while there are not too many", async () => {
    await start({ command: command("scripted-server"), maxSessions: 1 });
    const id = await session();
    expect((await send(gateway.url, initialize)).status).toBe(503);
    await send(gateway.url, undefined, { method: "DELETE", ...within(id) });
    expect((await send(gateway.url, initialize)).status).toBe(200);
  });

  it("does not begin when the server refuses", async () => {
    await start({ command: command("stubborn-server"), maxSessions: 1 });
    for (let i = 0; i < 2; i++) {
      let refused = await send(gateway.url, initialize);
      // Until its server has ended the one before counts.
      while (refused.status === 503) refused = await send(gateway.url, initialize);
      expect(refused.json.error.message).toBe("No.");
      expect(refused.headers).not.toHaveProperty("mcp-session-id");
    }
  });

  it("belongs to whom it was given", async () => {
    const keys = ["ann", "bob"].map((name) => ({ name, sha256: SHA256[name as "ann"] }));
    await start(
      { command: command("scripted-server") },
      {},
      { identity: { required: true, apiKeys: { header: "x-api-key", keys } } },
    );
    const ann = await session({ "X-Api-Key": "ann" });
    const of = (key: string) =>
      send(gateway.url, call(1, "a"), { headers: { "X-Api-Key": key, "Mcp-Session-Id": ann } });
    expect((await of("ann")).status).toBe(200);
    expect((await of("bob")).status).toBe(404);
    const nobody = await of("eve");
    expect([nobody.status, nobody.headers["www-authenticate"]]).toEqual([401, 'ApiKey realm="x-api-key"']);
  });
});

/** Reads a stream of events as it comes. */
async function stream(
  method: string,
  headers: object,
  body?: string,
): Promise<{ status: number; next(): Promise<any>; leave(): void }> {
  const accept = { Accept: "application/json, text/event-stream", "Content-Type": "application/json" };
  const outgoing = request(gateway.url, { method, headers: { ...accept, ...headers }, agent: false });
  outgoing.on("error", () => {});
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  let text = "";
  const lines = response.setEncoding("utf8")[Symbol.asyncIterator]();
  return {
    status: response.statusCode!,
    async next() {
      for (;;) {
        const [, data] = /data: (.*)\n\n/.exec(text) ?? [];
        if (data !== undefined) {
          text = text.slice(text.indexOf("\n\n") + 2);
          return JSON.parse(data);
        }
        const { done, value } = await lines.next();
        if (done) return undefined;
        text += value;
      }
    },
    leave: () => void outgoing.destroy(),
  };
}

describe("what a server says by itself", () => {
  const say = (...lines: object[]) => JSON.stringify({ jsonrpc: "2.0", id: 5, method: "say", params: { lines } });
  const note = (n: number) => ({ jsonrpc: "2.0", method: "notifications/message", params: { n } });

  it("comes before the answer, in a stream", async () => {
    await start({ command: command("talking-server") });
    const id = await session();
    const { next } = await stream("POST", { "Mcp-Session-Id": id }, say(note(1), note(2)));
    expect([(await next()).params.n, (await next()).params.n, (await next()).id, await next()]).toEqual([
      1,
      2,
      5,
      undefined,
    ]);
  });

  it("goes to who listens when nobody waits, also what was said before", async () => {
    await start({ command: command("talking-server"), env: { READY: "1" } });
    const id = await session();
    // A notification has no answer: what the server says then belongs to no request.
    const tell = (n: number) =>
      send(gateway.url, JSON.stringify({ jsonrpc: "2.0", method: "say", params: { lines: [note(n)] } }), within(id));
    const listening = await stream("GET", { "Mcp-Session-Id": id });
    expect((await listening.next()).method).toBe("notifications/ready");
    expect((await tell(1)).status).toBe(202);
    expect((await listening.next()).params.n).toBe(1);
    expect((await stream("GET", { "Mcp-Session-Id": id })).status).toBe(409);
    await tell(2);
    expect((await listening.next()).params.n).toBe(2);
    listening.leave();
    for (;;) {
      const again = await stream("GET", { "Mcp-Session-Id": id });
      if (again.status === 200) break;
    }
  });

  it("goes to the request that it is the progress of", async () => {
    await start({ command: command("talking-server") });
    const id = await session();
    const waits = JSON.stringify({ jsonrpc: "2.0", id: 8, method: "wait", params: { _meta: { progressToken: "t" } } });
    const first = stream("POST", { "Mcp-Session-Id": id }, waits);
    const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "t", progress: 1 } };
    const second = await stream("POST", { "Mcp-Session-Id": id }, say(note(1), progress));
    expect([(await second.next()).params.n, (await second.next()).id]).toEqual([1, 5]);
    expect((await (await first).next()).params.progress).toBe(1);
  });
});

describe("clients of the new era", () => {
  it("share a server, whatever ids they choose", async () => {
    await start({ command: command("scripted-server") });
    const asked = await Promise.all(["7", 7, 7, "ä"].map((id) => send(gateway.url, modern(id, "a"))));
    expect(asked.map(({ json }) => json.id)).toEqual(["7", 7, 7, "ä"]);
    expect(asked.map(({ json }) => json.result.seen).sort()).toEqual([1, 2, 3, 4]);
  });

  it("hear their own progress, and log messages only when they can be nobody else's", async () => {
    await start({ command: command("talking-server") });
    const meta = (name: string) => ({ progressToken: name, "io.modelcontextprotocol/logLevel": "info" });
    const one = stream("POST", {}, modern(1, "progress", meta("same")));
    const [first, rest] = [await (await one).next(), one];
    expect(first.params).toMatchObject({ progressToken: "same", progress: 1 });
    const other = await stream("POST", {}, modern(1, "progress", meta("same")));
    expect((await other.next()).params).toMatchObject({ progressToken: "same", progress: 1 });
    // Both are open: this note may be either's.
    await send(gateway.url, modern(2, "log"));
    (await rest).leave();
    for (let heard = ""; heard !== "log"; ) {
      await send(gateway.url, modern(2, "log"));
      heard = (await other.next()).params.data;
    }
  });

  it("cancel a request by leaving it", async () => {
    await start({ command: command("talking-server") });
    const waiting = await stream("POST", {}, modern("mine", "progress", { progressToken: 1 }));
    await waiting.next();
    waiting.leave();
    for (let seen = ""; !seen.includes('"notifications/cancelled","params":{"requestId":1}'); ) {
      seen = (await send(gateway.url, modern(2, "seen"))).text.replaceAll("\\", "");
    }
  });

  it("are told when the server ends, and the next one asks a new one", async () => {
    await start({ command: command("talking-server") });
    const ended = await send(gateway.url, modern(1, "exit"));
    expect(ended).toMatchObject({ status: 502, json: { id: 1 } });
    expect((await send(gateway.url, modern(2, "seen"))).status).toBe(200);
  });

  it("need their version in every request", async () => {
    await start({ command: command("scripted-server") });
    const { status, json } = await send(gateway.url, call(4, "a"), { headers: { "MCP-Protocol-Version": MODERN } });
    expect([status, json.id, json.error.code]).toEqual([400, 4, -32_602]);
  });
});

describe("what is not answered by the server", () => {
  it.each([
    ["another path", call(1, "a"), { path: "/other" }, 404],
    ["no session", call(1, "a"), {}, 400],
    ["another type", call(1, "a"), { headers: { "Content-Type": "text/plain" } }, 415],
    ["a client that takes no streams", call(1, "a"), { headers: { Accept: "application/json" } }, 406],
    ["a page from elsewhere", call(1, "a"), { headers: { Origin: "http://evil.example" } }, 403],
    ["a name that is not this machine's", call(1, "a"), { headers: { Host: "evil.example" } }, 421],
    ["another method", undefined, { method: "PATCH" }, 405],
    ["listening without a session", undefined, { method: "GET" }, 405],
  ])("%s", async (_, body, options, status) => {
    await start({ command: command("scripted-server") });
    expect((await send(gateway.url, body, options)).status).toBe(status);
  });

  it("is said when the server cannot be started, and what is wrong", async () => {
    const upstream = processUpstream({ command: ["no-such-program"], log: pino({ level: "silent" }) });
    gateway = await startGateway(upstream, {});
    expect(await upstream.problem()).toBeUndefined();
    expect((await send(gateway.url, initialize)).status).toBe(502);
    expect((await send(gateway.url, modern(1, "a"))).status).toBe(502);
    expect(await upstream.problem()).toMatch(/no-such-program could not be started/);
  });
});

const SHA256 = {
  ann: "49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1",
  bob: "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9",
};
