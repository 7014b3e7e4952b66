import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands between a client and a server, and calls `sever` instead of passing one piece on in one direction. */
export interface SeveringProxy {
  readonly port: number;
  /** Whether it came so far. */
  readonly hasSevered: boolean;
  close(): Promise<void>;
}

export interface SeveringProxyOptions {
  readonly target: number;
  readonly direction: "request" | "reply";
  /** The first piece is 1. Or the first one that matches. */
  readonly nth: number | RegExp;
  readonly sever: () => void;
}

export async function severingProxy({ target, direction, nth, sever }: SeveringProxyOptions): Promise<SeveringProxy> {
  let pieces = 0;
  let hasSevered = false;
  const sockets = new Set<Socket>();
  const pass = (from: Socket, to: Socket, isCounted: boolean) => {
    sockets.add(from);
    from.on("error", () => {});
    from.on("data", (piece) => {
      if (isCounted && (typeof nth === "number" ? ++pieces === nth : nth.test(piece.toString("latin1")))) {
        hasSevered = true;
        sever();
      }
      if (!(isCounted && hasSevered)) to.write(piece);
    });
    from.on("close", () => to.destroy());
  };
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    pass(client, upstream, direction === "request");
    pass(upstream, client, direction === "reply");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get hasSevered() {
      return hasSevered;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
