import { connect, type Socket } from "node:net";

/** Connections that are kept alive to one server, each with one request under way at a time. */
export interface Load {
  /** Sends so many requests and waits for all answers. Resolves to the status and header lines of the last one. */
  send(count: number): Promise<string>;
  close(): void;
}

const CONNECTIONS = 16;
const request = Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");

export async function openLoad(port: number): Promise<Load> {
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(port)));
  return {
    async send(count) {
      const share = Math.ceil(count / CONNECTIONS);
      const heads = await Promise.all(sockets.map((socket) => sendAll(socket, share)));
      return heads[0]!;
    },
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.once("error", reject);
  });
}

function sendAll(socket: Socket, count: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let left = count;
    let received = "";
    socket.removeAllListeners();
    socket.on("error", reject).on("close", () => reject(new Error("The server closed a connection.")));
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      if (!isWhole(received)) return;
      if (--left === 0) return resolve(received.slice(0, received.indexOf("\r\n\r\n")));
      received = "";
      socket.write(request);
    });
    socket.write(request);
  });
}

function isWhole(response: string): boolean {
  const end = response.indexOf("\r\n\r\n");
  if (end === -1) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(response)?.[1];
  if (length === undefined) return response.endsWith("0\r\n\r\n");
  return response.length >= end + 4 + Number(length);
}
