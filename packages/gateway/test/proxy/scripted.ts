import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { memoryStore } from "sluice";
import { createMcpGate, type McpRateLimitOptions } from "sluice/mcp";
import { type Ended, stdioProxy } from "../../src/proxy/stdio/stdio-proxy.ts";

const server = fileURLToPath(new URL("../fixtures/scripted-server.ts", import.meta.url));

/** A scripted server behind the proxy, and the client's side of it. */
export interface Scripted {
  /** Bytes of the client, as they are. */
  send(bytes: string | Uint8Array): void;
  /** A request; returns its answer. */
  ask(id: number, method: string, params?: object): Promise<any>;
  /** The next message that the client gets and nobody has asked for by its id. */
  next(): Promise<any>;
  /** The end of the client's input. Resolves to what the server has seen, line by line. */
  end(): Promise<readonly string[]>;
  readonly ended: Promise<Ended>;
  /** All lines that the client got. */
  readonly lines: readonly string[];
}

export function scripted(options: McpRateLimitOptions, { maxMessageBytes = 1_000_000 } = {}): Scripted {
  const input = new PassThrough();
  const output = new PassThrough();
  const gate = createMcpGate({ store: memoryStore(), ...options });
  const ended = stdioProxy({
    command: process.execPath,
    args: ["--no-warnings", server],
    gates: { current: gate },
    origin: { connection: "test" },
    maxMessageBytes,
    input,
    output,
    failed: () => {},
  });
  const lines: string[] = [];
  const unclaimed: any[] = [];
  const byId = new Map<number, (message: any) => void>();
  const waiting: ((message: any) => void)[] = [];
  let text = "";
  output.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      lines.push(line);
      const message = JSON.parse(line);
      const claimed = byId.get(message.id);
      byId.delete(message.id);
      if (claimed !== undefined) claimed(message);
      else if (waiting.length > 0) waiting.shift()!(message);
      else unclaimed.push(message);
    }
  });
  const next = () =>
    unclaimed.length > 0 ? Promise.resolve(unclaimed.shift()) : new Promise<any>((resolve) => waiting.push(resolve));
  return {
    lines,
    ended,
    next,
    send: (bytes) => void input.write(bytes),
    ask(id, method, params) {
      const answer = new Promise<any>((resolve) => byId.set(id, resolve));
      input.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, ...(params && { params }) })}\n`);
      return answer;
    },
    async end() {
      input.end();
      for (;;) {
        const message = await next();
        if (message.method === "notifications/end") {
          await ended;
          return message.params.seen;
        }
      }
    },
  };
}

export const call = (id: number, name: string, args: object = {}): string =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } });
