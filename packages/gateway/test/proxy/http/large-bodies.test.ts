import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { call, type Recorder, send, startGateway, startRecorder, type TestGateway } from "./gateway.ts";

const MB = 1024 * 1024;
let upstream: Recorder;
let gateway: TestGateway;

beforeEach(async () => {
  upstream = await startRecorder();
  gateway = await startGateway(upstream.url, {});
});

afterEach(async () => {
  await gateway.close();
  await upstream.close();
});

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** Bytes that somebody in this process still has. */
function held(): number {
  collect();
  return process.memoryUsage().arrayBuffers;
}

const lengths = {
  "its length told": `Content-Length: ${50 * MB}`,
  "in pieces": "Transfer-Encoding: chunked",
};

/** A piece of a megabyte, as it is written on the wire. */
const pieces = {
  "its length told": Buffer.alloc(MB, "x"),
  "in pieces": Buffer.concat([Buffer.from(`${MB.toString(16)}\r\n`), Buffer.alloc(MB, "x"), Buffer.from("\r\n")]),
};

describe.each(["its length told", "in pieces"] as const)("a body of 50 MB where one may have, %s", (how) => {
  const head = (length: string) =>
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length}\r\n\r\n`;

  async function begin() {
    const socket = connect(Number(gateway.url.port), "127.0.0.1").setEncoding("latin1");
    await once(socket, "connect");
    // Whoever is cut off while it sends sees it as an error.
    const closed = once(
      socket.on("error", () => {}),
      "close",
    );
    let heard = "";
    socket.on("data", (chunk) => {
      heard += chunk;
    });
    /** Writes a piece, and waits until it has gone. */
    const write = (bytes: Buffer | string) => new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
    const hears = async (pattern: RegExp) => {
      while (!pattern.test(heard)) await once(socket, "data");
    };
    await write(head(lengths[how]));
    return { socket, write, hears, closed };
  }

  it("is answered with 413 before it is all there, and the rest of it is dropped, not kept and not taken for a request", async () => {
    const { socket, write, hears } = await begin();
    await write(pieces[how]);
    // One byte too many: nobody has sent the rest yet.
    if (how === "in pieces") await write(pieces[how]);
    await hears(/^HTTP\/1\.1 413 .*this one has more/s);
    const before = held();
    for (let sent = how === "in pieces" ? 2 : 1; sent < 50; sent++) await write(pieces[how]);
    while (held() > before + 10 * MB) await new Promise(setImmediate);
    if (how === "in pieces") await write("0\r\n\r\n");
    // The connection is good for the next call.
    const next = call(7, "sum");
    await write(head(`Content-Length: ${next.length}\r\nConnection: close`) + next);
    await hears(/HTTP\/1\.1 200 /);
    socket.destroy();
    expect(upstream.received.map(({ body }) => String(body))).toEqual([next]);
  });

  it("is cut off when it goes on for longer than a request may take", async () => {
    await gateway.close();
    gateway = await startGateway(upstream.url, {}, { patienceMs: 100 });
    const { write, closed } = await begin();
    // Answered, and not finished.
    await write(pieces[how]);
    if (how === "in pieces") await write(pieces[how]);
    await closed;
  });
});

describe("a body of 50 MB", () => {
  it("passes byte by byte where it is a message and may be as large", async () => {
    await gateway.close();
    gateway = await startGateway(upstream.url, {}, { maxMessageBytes: 64 * MB });
    const body = Buffer.from(call(1, "sum", { text: "ß€😀x".repeat(5 * MB) }));
    expect(body.length).toBeGreaterThan(50 * MB);
    expect((await send(gateway.url, body)).status).toBe(200);
    expect(upstream.received[0]!.body.equals(body)).toBe(true);
  });

  it("passes byte by byte where it is no message, no faster than the server takes it", async () => {
    const hash = createHash("sha256");
    const { promise: asked, resolve } = Promise.withResolvers<IncomingMessage>();
    const server = createServer((incoming, response) => {
      incoming.on("end", () => response.end("{}"));
      resolve(incoming);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const front = await startGateway(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`), {});
    try {
      const outgoing = request(new URL("/upload", front.url), {
        method: "PUT",
        headers: { "Content-Type": "multipart/form-data; boundary=x", "Content-Length": 50 * MB },
      });
      const sent = createHash("sha256");
      let written = 0;
      const more = () => {
        while (written < 50) {
          const piece = Buffer.alloc(MB, written++);
          sent.update(piece);
          if (!outgoing.write(piece)) return outgoing.once("drain", more);
        }
        return outgoing.end();
      };
      more();
      const incoming = await asked;
      // Nothing is read: sockets and the gateway fill up, and then nothing more is written.
      let before = -1;
      while (before !== written) {
        before = written;
        for (let i = 0; i < 200; i++) await new Promise(setImmediate);
      }
      expect(written).toBeLessThan(25);
      incoming.on("data", (chunk: Buffer) => hash.update(chunk));
      const [response] = (await once(outgoing, "response")) as [IncomingMessage];
      expect(await text(response)).toBe("{}");
      expect(hash.digest("hex")).toBe(sent.digest("hex"));
    } finally {
      await front.close();
      server.closeAllConnections();
      server.close();
    }
  });
});
