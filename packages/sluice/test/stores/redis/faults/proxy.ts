import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * What a proxy does with what comes by.
 *
 * - `pass`: nothing.
 * - `swallow`: replies are lost, and the connection stays.
 * - `lose`: the reply to a script call is lost, and the connection with it. The call has run.
 * - `shut`: connections are taken and ended at once.
 */
type ProxyMode = "pass" | "swallow" | "lose" | "shut";

/** A way to Redis that can go wrong, and counts what comes by. */
export interface FaultyWay {
  readonly port: number;
  /** A connection that has lost a reply ends with the mode: what came next would be taken for it. */
  mode: ProxyMode;
  /** How long replies take more than they do. In milliseconds. */
  delayMs: number;
  /** Connections that came in so far. */
  readonly arrived: number;
  /** Script calls that came by so far. */
  readonly scripts: number;
  /** Replies that were lost so far. */
  readonly lost: number;
  /** Ends all connections. */
  cut(): void;
  close(): Promise<void>;
}

const SCRIPT = /\r\n(evalsha|eval)\r\n/gi;

export async function startProxy(upstream: number): Promise<FaultyWay> {
  const open = new Set<Socket>();
  const spoilt = new Set<Socket>();
  const counts = { arrived: 0, scripts: 0, lost: 0 };
  let mode: ProxyMode = "pass";
  let delayMs = 0;

  const server = createServer({ noDelay: true }, (socket) => {
    counts.arrived++;
    socket.on("error", () => {});
    if (mode === "shut") return void socket.destroy();
    const redis = connect({ port: upstream, host: "127.0.0.1", noDelay: true });
    let unanswered = 0;
    open.add(socket);
    redis.on("error", () => {});
    redis.on("close", () => socket.destroy());
    socket.on("close", () => {
      open.delete(socket);
      spoilt.delete(socket);
      redis.destroy();
    });
    socket.on("data", (bytes) => {
      const calls = bytes.toString("latin1").match(SCRIPT)?.length ?? 0;
      counts.scripts += calls;
      unanswered += calls;
      redis.write(bytes);
    });
    redis.on("data", (bytes) => {
      const isOfScript = unanswered > 0;
      unanswered = 0;
      if (mode === "swallow" || (mode === "lose" && isOfScript)) {
        counts.lost++;
        spoilt.add(socket);
        if (mode === "lose") socket.destroy();
      } else if (delayMs > 0) setTimeout(() => socket.write(bytes), delayMs);
      else socket.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const end = (sockets: Iterable<Socket>) => {
    for (const socket of [...sockets]) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get mode() {
      return mode;
    },
    set mode(next) {
      mode = next;
      end(spoilt);
    },
    get delayMs() {
      return delayMs;
    },
    set delayMs(next) {
      delayMs = next;
    },
    get arrived() {
      return counts.arrived;
    },
    get scripts() {
      return counts.scripts;
    },
    get lost() {
      return counts.lost;
    },
    cut: () => end(open),
    async close() {
      server.close();
      end(open);
      await once(server, "close");
    },
  };
}
