import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { redisServer } from "../../../../../scripts/redis-server.ts";

/** A Redis of its own for a test: on loopback, keeping nothing on disk. It dies with this process, however that ends. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Of the server that runs now: another one after a restart. */
  readonly pid: number;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
  /** As a crash does: at once, with SIGKILL. */
  kill(): Promise<void>;
  /** It takes connections and answers nothing (SIGSTOP). */
  pause(): void;
  resume(): void;
  /** Ends it and starts it anew on the same port and folder, with nothing in it. */
  restart(): Promise<void>;
}

export interface RedisServerOptions {
  /** More of its command line, as in `["--maxmemory", "5mb"]`. */
  readonly args?: readonly string[];
  /** A file of its own, which a Sentinel needs because it writes there. */
  readonly config?: string;
}

/** The shell says which process the server is, and kills it when its own input ends: with `stop`, or with the death of this process. */
const WATCH = '"$@" >/dev/null 2>&1 & echo $!; cat >/dev/null; kill -9 $! 2>/dev/null; wait';

export async function startRedis({ args = [], config }: RedisServerOptions = {}): Promise<RedisServer> {
  const dir = mkdtempSync(join(tmpdir(), "sluice-redis-"));
  const place: Place = { dir, args, config: config === undefined ? [] : [join(dir, "redis.conf")] };
  for (const file of place.config) writeFileSync(file, config!);
  const removeDir = () => rmSync(dir, { recursive: true, force: true });
  process.on("exit", removeDir);
  let running = await startOnFreePort(place);
  const { port } = running;
  const end = async () => {
    running.shell.stdin?.end();
    if (running.shell.exitCode === null) await once(running.shell, "exit");
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return running.pid;
    },
    async stop() {
      await end();
      removeDir();
      process.off("exit", removeDir);
    },
    kill: end,
    pause: () => process.kill(running.pid, "SIGSTOP"),
    resume: () => process.kill(running.pid, "SIGCONT"),
    async restart() {
      await end();
      running = await start(place, port);
    },
  };
}

/** Where and how a server runs, each time it is started. */
interface Place {
  readonly dir: string;
  readonly args: readonly string[];
  /** Its own file, if it has one. */
  readonly config: readonly string[];
}

interface Running {
  readonly shell: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

async function startOnFreePort(place: Place): Promise<Running> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(place, await freePort());
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

async function start({ dir, args, config }: Place, port: number): Promise<Running> {
  const options = ["--bind", "127.0.0.1", "--port", `${port}`, "--dir", dir, "--save", "", "--appendonly", "no"];
  const command = [redisServer(), ...config, ...options, "--logfile", "redis.log", ...args];
  const shell = spawn("/bin/sh", ["-c", WATCH, "sh", ...command], { stdio: ["pipe", "pipe", "ignore"] });
  shell.stdin.on("error", () => {});
  const [line] = await once(shell.stdout, "data");
  const pid = Number(line);
  for (let waited = 0; waited < 10_000; waited += 10) {
    // Another server may have been faster on this port.
    if ((await info(port)).includes(`process_id:${pid}\r`)) return { shell, pid, port };
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  shell.stdin.end();
  throw new Error(`${command.join(" ")} did not answer within 10 s.`);
}

/** What the server on a port says about itself: nothing while it cannot be reached. */
function info(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write("INFO server\r\n"));
    socket.setTimeout(1000, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    socket.on("data", (part) => {
      text += part;
      if (text.includes("process_id") || text.startsWith("-")) socket.destroy();
    });
  });
}

/** Below the ports that systems hand out by themselves, and so is that of the cluster's bus, 10000 further. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 11_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
