import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { median } from "../statistics.ts";

export interface StdioFigures {
  /** Small requests and their answers per second, as many at a time as the pipes take. */
  readonly direct: number;
  readonly behind: number;
  /** What one request takes longer behind the gateway, in milliseconds, at the median. */
  readonly addedMs: number;
}

const server = fileURLToPath(new URL("stdio-server.ts", import.meta.url));
const main = fileURLToPath(import.meta.resolve("sluice-gateway"));
const WARM_UP = 20_000;
const REQUESTS = 100_000;
const ONE_BY_ONE = 3_000;
const TURNS = 5;

/** A server over stdio, by itself and behind the gateway. */
export async function stdio(): Promise<StdioFigures> {
  const limits = ["--per-client", "100000000/min", "--tool", "echo=100000000/min", "--log-level", "silent"];
  const [direct, behind] = [open([server]), open([main, ...limits, "--", process.execPath, "--no-warnings", server])];
  try {
    const rates = { direct: [] as number[], behind: [] as number[] };
    const added: number[] = [];
    for (const one of [direct, behind]) await one.flood(WARM_UP);
    for (let i = 0; i < TURNS; i++) {
      rates.direct.push(await direct.flood(REQUESTS));
      rates.behind.push(await behind.flood(REQUESTS));
      const alone = await direct.oneByOne(ONE_BY_ONE);
      added.push((await behind.oneByOne(ONE_BY_ONE)) - alone);
    }
    return { direct: median(rates.direct), behind: median(rates.behind), addedMs: median(added) };
  } finally {
    direct.end();
    behind.end();
  }
}

function open(args: readonly string[]) {
  const child: ChildProcess = spawn(process.execPath, ["--no-warnings", ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { stdin, stdout } = child;
  let id = 0;
  let left = 0;
  let done: () => void = () => {};
  stdout!.on("data", (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 0x0a && --left === 0) done();
  });
  const line = () =>
    `{"jsonrpc":"2.0","id":${++id},"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}\n`;

  function send(count: number): Promise<void> {
    left = count;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    for (let sent = 0; sent < count; sent += 500) {
      let text = "";
      for (let i = 0; i < Math.min(500, count - sent); i++) text += line();
      stdin!.write(text);
    }
    return all;
  }

  return {
    /** Requests per second. */
    async flood(count: number): Promise<number> {
      const begin = performance.now();
      await send(count);
      return (count / (performance.now() - begin)) * 1000;
    },
    /** Milliseconds for one, at the median. */
    async oneByOne(count: number): Promise<number> {
      const times: number[] = [];
      for (let i = 0; i < count; i++) {
        const begin = performance.now();
        await send(1);
        times.push(performance.now() - begin);
      }
      return median(times);
    },
    end: () => child.kill(),
  };
}
