import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** A gateway in a process of its own, in front of servers over HTTP. */
export interface Started {
  readonly child: ChildProcess;
  readonly url: URL;
  readonly admin: URL;
  /** The next line of the log with this text. */
  logged(text: string): Promise<any>;
}

const ANYWHERE = ["--listen", "127.0.0.1:0"];

/** Starts it, and waits until it listens. Whoever starts it ends it. `server`: the command of a server over stdio. */
export async function startMain(
  args: readonly string[],
  env: object = {},
  listen: readonly string[] = ANYWHERE,
  server: readonly string[] = [],
  adminPort = 0,
): Promise<Started> {
  const behind = server.length === 0 ? [] : ["--", ...server];
  const all = ["--no-warnings", main, ...args, ...listen, "--admin", `127.0.0.1:${adminPort}`, ...behind];
  const child = spawn(process.execPath, all, {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, ...env },
  });
  const lines: any[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stderr! }).on("line", (line) => {
    if (!line.startsWith("{")) return;
    lines.push(JSON.parse(line));
    for (const look of waiting) look();
  });
  const logged = (text: string) =>
    new Promise<any>((resolve) => {
      const look = () => {
        const at = lines.findIndex(({ msg }) => msg.includes(text));
        if (at === -1) return;
        waiting.delete(look);
        resolve(lines.splice(at, 1)[0]);
      };
      waiting.add(look);
      look();
    });
  const [{ at }, admin] = await Promise.all([logged("limits are in front"), logged("the admin API listens")]);
  return { child, url: new URL(at), admin: new URL(admin.at), logged };
}
