import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import spawn from "cross-spawn";
import type { Origin } from "sluice/mcp";
import { tooLarge } from "../answers.ts";
import type { Gates } from "../gates.ts";
import { serverEnvironment } from "../process/server-environment.ts";
import { clientOutput } from "./client-output.ts";
import { lineCutter } from "./lines.ts";
import { stdioGate } from "./stdio-gate.ts";

export interface StdioProxyOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly gates: Gates;
  readonly origin: Origin;
  /** Longer messages of the client are refused. In bytes. */
  readonly maxMessageBytes: number;
  /** The client's side. @default those of this process */
  readonly input?: Readable;
  readonly output?: Writable;
  readonly env?: NodeJS.ProcessEnv;
  failed(error: unknown): void;
}

/** How a server ended: as a shell tells it. */
export interface Ended {
  readonly code: number;
  readonly signal?: NodeJS.Signals;
  /** Why it could not be started. */
  readonly error?: Error;
}

const FORWARDED: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/**
 * Runs a server behind the gate, between it and the client that has started this process. What passes does so as it came,
 * byte by byte; stderr is the server's own. Resolves when the server has ended.
 */
export function stdioProxy(options: StdioProxyOptions): Promise<Ended> {
  const { command, args, gates, origin, maxMessageBytes, failed, env = serverEnvironment() } = options;
  const { input = process.stdin, output = process.stdout } = options;
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env });
  const stdin = child.stdin!;
  const stdout = child.stdout!;
  const client = clientOutput(output);
  const gate = stdioGate({
    gates,
    origin,
    failed,
    toServer(line) {
      if (stdin.writable && !stdin.write(line)) input.pause();
    },
    toClient: (line) => client.insert(line),
  });

  // Many lines of one chunk are one write.
  const fromClient = lineCutter(maxMessageBytes, gate.fromClient, () => client.insert(tooLarge(maxMessageBytes)));
  input.on("data", (chunk: Buffer) => {
    stdin.cork();
    fromClient.push(chunk);
    process.nextTick(() => stdin.uncork());
  });
  input.on("end", async () => {
    fromClient.end();
    await gate.idle();
    stdin.end();
  });
  stdin.on("drain", () => input.resume());
  // A server that has ended reads no more: its exit tells the rest.
  stdin.on("error", () => {});

  const fromServer = lineCutter(Number.MAX_SAFE_INTEGER, gate.fromServer, () => {});
  let isCutting = false;
  stdout.on("data", (chunk: Buffer) => {
    if (!client.write(chunk)) stdout.pause();
    if (gate.watches) isCutting = true;
    if (isCutting) fromServer.push(chunk);
    // Between two lines nothing is held.
    if (!gate.watches && client.isBetweenLines) isCutting = false;
  });
  output.on("drain", () => stdout.resume());
  // The client has gone: the server hears it as the end of its input.
  output.on("error", () => stdin.end());

  return ended(child).finally(() => {
    gate.close();
    input.pause();
  });
}

/** Signals that would end this process end the server, and with it this process. */
function ended(child: ChildProcess): Promise<Ended> {
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of FORWARDED) process.on(signal, forward);
  return new Promise<Ended>((resolve) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) resolve({ code: error.code === "ENOENT" ? NOT_FOUND : NOT_EXECUTABLE, error });
    });
    // "close" comes after the last byte of its output, "exit" may come before.
    child.on("close", (code, signal) => resolve(signal === null ? { code: code ?? 1 } : { code: 1, signal }));
  }).finally(() => {
    for (const signal of FORWARDED) process.off(signal, forward);
  });
}
