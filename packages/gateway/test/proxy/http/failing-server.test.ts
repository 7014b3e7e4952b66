import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { memoryStore } from "sluice";
import { manualClock } from "sluice/testing";
import { afterEach, describe, expect, it } from "vitest";
import { call, send, startGateway, type TestGateway } from "./gateway.ts";

let gateway: TestGateway;
const running: (() => void)[] = [];

afterEach(async () => {
  await gateway.close();
  for (const end of running.splice(0)) end();
});

/** A server that does with the connection of each request whatever it is told. */
async function startRaw(asked: (socket: Socket, text: string) => void): Promise<URL> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("data", (chunk) => asked(socket, String(chunk)));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  running.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
}

const answerTo = (socket: Socket) =>
  socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");

/** How a call went, as its client sees it. */
const outcome = (id: number) =>
  send(gateway.url, call(id, "slow")).then(
    ({ status, json }) => ({ status, json }),
    ({ code }) => ({ status: "broken off", code }),
  );

const REFUSED = { status: 200, json: { result: { isError: true } } };
const ANSWERED = { status: 200, json: {} };

describe("a server that takes a call and says nothing", () => {
  it("is waited for until the client leaves; then it hears that, and the place stays taken until its lease ends", async () => {
    const clock = manualClock();
    let asked = (_socket: Socket) => {};
    const url = await startRaw((socket) => asked(socket));
    const store = memoryStore({ clock });
    gateway = await startGateway(url, { store, tools: { slow: { concurrency: 1 } } });
    const next = () =>
      new Promise<Socket>((resolve) => {
        asked = resolve;
      });

    const first = next();
    const outgoing = request(gateway.url, { method: "POST" }).on("error", () => {});
    outgoing.end(call(1, "slow"));
    const socket = await first;
    expect(await outcome(2)).toMatchObject(REFUSED);
    const left = once(socket, "close");
    outgoing.destroy();
    await left;
    // Whatever it does with that call, it may do it for a while.
    expect(await outcome(3)).toMatchObject(REFUSED);
    await clock.advance(60_000);
    asked = answerTo;
    expect(await outcome(4)).toEqual(ANSWERED);
  });
});

const half = (length: string, text: string) => `HTTP/1.1 200 OK\r\n${length}\r\n\r\n${text}`;
const beginnings = {
  "a body of known length": half("Content-Type: application/json\r\nContent-Length: 100", '{"jsonrpc":'),
  "a body in pieces": half("Content-Type: application/json\r\nTransfer-Encoding: chunked", '5\r\n{"jso\r\n'),
  "a stream of events": half("Content-Type: text/event-stream\r\nTransfer-Encoding: chunked", "9\r\ndata: 1\n\n\r\n"),
};
const endings = {
  closes: (socket: Socket) => void socket.end(),
  resets: (socket: Socket) => void socket.resetAndDestroy(),
};

describe.each(Object.entries(endings))("a server whose connection %s", (_, end) => {
  async function start(dying: (socket: Socket) => void) {
    let calls = 0;
    const url = await startRaw((socket) => {
      if (calls++ === 0) dying(socket);
      else answerTo(socket);
    });
    gateway = await startGateway(url, { tools: { slow: { concurrency: 1 } } });
  }

  it("before it has answered is a 502 with the id of the call, whose place is free again", async () => {
    await start(end);
    expect(await outcome(1)).toMatchObject({ status: 502, json: { id: 1, error: { code: -32_603 } } });
    expect(await outcome(2)).toEqual(ANSWERED);
  });

  it("after what is no HTTP is a 502, too", async () => {
    await start((socket) => {
      socket.write("Hello?\r\n\r\n");
      end(socket);
    });
    expect(await outcome(1)).toMatchObject({ status: 502, json: { id: 1 } });
    expect(await outcome(2)).toEqual(ANSWERED);
  });

  it.each(Object.entries(beginnings))(
    "in the middle of %s breaks off the client's, and the place is free again",
    async (_name, beginning) => {
      let finish = () => {};
      await start((socket) => {
        socket.write(beginning);
        finish = () => end(socket);
      });
      const outgoing = request(gateway.url, { method: "POST" });
      outgoing.end(call(1, "slow"));
      const [response] = await once(outgoing, "response");
      // The client has seen that it begins, and so has the gateway.
      await once(response, "data");
      expect(await outcome(2)).toMatchObject(REFUSED);
      const broken = expect(once(response, "end")).rejects.toThrow("aborted");
      finish();
      await broken;
      expect(await outcome(3)).toEqual(ANSWERED);
    },
  );
});

describe("a server that crashes and comes back", () => {
  const file = fileURLToPath(new URL("../../fixtures/stream-server.ts", import.meta.url));

  async function startServer(port = 0) {
    const child: ChildProcess = fork(file, [String(port)], { execArgv: ["--no-warnings"] });
    running.push(() => child.kill("SIGKILL"));
    const [at] = await once(child, "message");
    const crash = async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    };
    return { port: Number(at), crash };
  }

  it("is asked again at once, and what was used stays used", async () => {
    let server = await startServer();
    const url = new URL(`http://127.0.0.1:${server.port}/mcp`);
    gateway = await startGateway(url, { tools: { once: "1/h", slow: { concurrency: 1 } } });
    const used = () => send(gateway.url, call(9, "once"));
    expect((await used()).json.result).toEqual({});
    expect(await outcome(1)).toMatchObject({ status: 200, json: { result: {} } });

    // While it is away, nothing can answer.
    await server.crash();
    expect(await outcome(2)).toMatchObject({ status: 502, json: { id: 2 } });
    server = await startServer(server.port);
    expect(await outcome(3)).toMatchObject({ status: 200, json: { result: {} } });

    // Nobody has asked while it was away: no call is lost to connections of before.
    await server.crash();
    server = await startServer(server.port);
    for (const id of [4, 5]) expect(await outcome(id)).toMatchObject({ status: 200, json: { result: {} } });
    expect((await used()).json.result.isError).toBe(true);
  });
});
