import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { call, type Recorder, send, startGateway, startRecorder, type TestGateway } from "./gateway.ts";

let upstream: Recorder;
let gateway: TestGateway;
const sockets: Socket[] = [];

beforeEach(async () => {
  upstream = await startRecorder();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await gateway.close();
  await upstream.close();
});

/** Requests that never come to their end: within the head, within a body of known length, within a piece of a body. */
const beginnings = {
  head: "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
  body: `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n{"jsonrpc":"2.0`,
  piece: `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n{"jsonrpc":"2.0`,
  form: `POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 900000\r\n\r\ngrant_type=`,
};

async function begin(text: string): Promise<Socket> {
  const socket = connect(Number(gateway.url.port), "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

it("serves and limits others while clients send a byte now and then, and forgets those when they leave", async () => {
  gateway = await startGateway(upstream.url, { tools: { search: "1/h" } });
  const slow = await Promise.all(
    Array.from({ length: 100 }, () => [beginnings.head, beginnings.body, beginnings.piece])
      .flat()
      .map(begin),
  );
  for (let id = 1; id <= 20; id++) {
    for (const socket of slow) socket.write("x");
    expect((await send(gateway.url, call(id, "other"))).json.result).toEqual({});
  }
  expect((await send(gateway.url, call(21, "search"))).json.result).toEqual({});
  expect((await send(gateway.url, call(22, "search"))).json.result.isError).toBe(true);
  while ((await gateway.connections()) > slow.length) await new Promise(setImmediate);
  expect(slow.filter(({ destroyed }) => destroyed)).toEqual([]);
  for (const socket of slow) socket.destroy();
  while ((await gateway.connections()) > 0) await new Promise(setImmediate);
  // Nothing of what never came to its end has reached the server.
  expect(upstream.received).toHaveLength(21);
});

it.each(Object.entries(beginnings))(
  "answers 408 to one that takes too long, and cuts it off: %s",
  async (_, beginning) => {
    gateway = await startGateway(upstream.url, {}, { patienceMs: 100 });
    const socket = await begin(beginning);
    let heard = "";
    socket.on("data", (chunk) => {
      heard += chunk;
    });
    // What comes now and then does not make it a request that comes in time.
    const trickle = setInterval(() => socket.writable && socket.write("x"), 10);
    // Not `once`: that what is cut off while it sends sees an error, too, is no failure.
    await new Promise((resolve) => socket.on("close", resolve));
    clearInterval(trickle);
    expect(heard).toMatch(/^HTTP\/1\.1 408 /);
    while ((await gateway.connections()) > 0) await new Promise(setImmediate);
  },
);
