import spawn from "cross-spawn";
import { lineCutter } from "../stdio/lines.ts";
import { serverEnvironment } from "./server-environment.ts";

/** How a server over stdio is started. */
export interface ServerCommand {
  readonly command: readonly [string, ...string[]];
  /** Added to the environment of the gateway. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** @default that of the gateway */
  readonly cwd?: string | undefined;
}

export interface ServerProcessHandlers {
  /** A line of the server, without its end. */
  line(line: Buffer): void;
  /** It has ended, or could not be started. Nothing more is heard. */
  ended(why: Error): void;
}

/** A running server over stdio. */
export interface ServerProcess {
  /** One message, in one line or several. */
  write(message: Buffer): void;
  /** Bytes that the server has not read yet. */
  readonly unread: number;
  /** Its output is not read until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes its input, and ends it if it does not end by itself (MCP, lifecycle of stdio). Resolves when it has ended. */
  close(): Promise<void>;
}

/** Between the ways to make a server end, each ruder than the one before. In milliseconds. */
const GRACE_MS = 2_000;
const [NEWLINE, RETURN, SPACE] = [0x0a, 0x0d, 0x20];

/** Starts a server. Its stderr is that of the gateway. */
export function startServer({ command, env, cwd }: ServerCommand, handlers: ServerProcessHandlers): ServerProcess {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "inherit"],
    env: serverEnvironment(env),
    cwd,
  });
  const stdin = child.stdin!;
  const stdout = child.stdout!;
  let over = () => {};
  const isOver = new Promise<void>((resolve) => {
    over = resolve;
  });
  let error: Error | undefined;
  const output = lineCutter(
    Number.MAX_SAFE_INTEGER,
    (line) => handlers.line(trimmed(line)),
    () => {},
  );
  stdout.on("data", (chunk: Buffer) => output.push(chunk));
  // A server that has ended reads no more: its exit tells the rest.
  stdin.on("error", () => {});
  child.on("error", (cause) => {
    error = cause;
    if (child.pid === undefined) end(`could not be started: ${cause.message}`);
  });
  // "close" comes after the last byte of its output, "exit" may come before.
  child.on("close", (code, signal) => end(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`));

  let hasEnded = false;
  function end(how: string): void {
    if (hasEnded) return;
    hasEnded = true;
    over();
    handlers.ended(new Error(`The server ${program} ${how}.`, { cause: error }));
  }

  return {
    write(message) {
      if (stdin.writable) stdin.write(asLine(message));
    },
    get unread() {
      return stdin.writableLength;
    },
    pause: () => void stdout.pause(),
    resume: () => void stdout.resume(),
    async close() {
      // Nobody waits for what it still says.
      stdout.resume();
      stdin.end();
      const timers = [
        setTimeout(() => child.kill("SIGTERM"), GRACE_MS),
        setTimeout(() => child.kill("SIGKILL"), 2 * GRACE_MS),
      ];
      await isOver;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** Line ends within JSON are white space. */
function asLine(message: Buffer): Buffer {
  const line = Buffer.allocUnsafe(message.length + 1);
  message.copy(line);
  for (let i = 0; i < message.length; i++) if (line[i] === NEWLINE || line[i] === RETURN) line[i] = SPACE;
  line[message.length] = NEWLINE;
  return line;
}

function trimmed(line: Buffer): Buffer {
  let end = line.length;
  while (end > 0 && (line[end - 1] === NEWLINE || line[end - 1] === RETURN)) end--;
  return line.subarray(0, end);
}
