import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prometheus } from "../../../../scripts/prometheus.ts";

/** A Prometheus of its own for a test, on loopback. It dies with this process, however that ends. */
export interface PrometheusServer {
  /** The samples that a query has now: labels and value. @throws Error with what Prometheus says of a bad query */
  query(expr: string): Promise<readonly PrometheusSample[]>;
  /** What it answers to a path of its API. */
  ask(path: string): Promise<any>;
  stop(): Promise<void>;
}

interface PrometheusSample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Kills the server when its own input ends: with `stop`, or with the death of this process. */
const WATCH = '"$@" >/dev/null 2>&1 & cat >/dev/null; kill -9 $! 2>/dev/null; wait';

/** @param config its configuration, as JSON, which is YAML */
export async function startPrometheus(config: object): Promise<PrometheusServer> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-prometheus-"));
  mkdirSync(join(folder, "data"));
  const file = join(folder, "prometheus.yaml");
  writeFileSync(file, JSON.stringify(config));
  const port = await freePort();
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const shell = spawn("sh", ["-c", WATCH, "sh", prometheus(), ...args], { stdio: ["pipe", "ignore", "ignore"] });
  const base = `http://127.0.0.1:${port}`;

  async function ask(path: string): Promise<any> {
    const response = await fetch(base + path);
    const { status, data, error } = (await response.json()) as any;
    if (status !== "success") throw new Error(`${path}: ${error}`);
    return data;
  }

  async function stop(): Promise<void> {
    shell.stdin.end();
    if (shell.exitCode === null) await once(shell, "exit");
    rmSync(folder, { recursive: true, force: true });
  }

  const until = Date.now() + 60_000;
  while (
    !(await fetch(`${base}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (Date.now() < until && shell.exitCode === null) continue;
    await stop();
    throw new Error("Prometheus has not become ready within a minute.");
  }
  return {
    ask,
    async query(expr) {
      const { result } = await ask(`/api/v1/query?query=${encodeURIComponent(expr)}`);
      return result.map(({ metric, value: [, value] }: any) => ({ metric, value: Number(value) }));
    },
    stop,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
