import { spawn } from "node:child_process";
import { once } from "node:events";
import { Redis } from "ioredis";
import { expect, it } from "vitest";
import { startCluster } from "./cluster.ts";
import { startRedis } from "./server.ts";

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it("starts, pauses, restarts and stops a Redis", async () => {
  const server = await startRedis({ args: ["--maxmemory", "5mb"] });
  const client = new Redis(server.url);
  client.on("error", () => {});
  expect(await client.config("GET", "maxmemory")).toEqual(["maxmemory", "5242880"]);
  await client.set("a", "1");
  const { pid } = server;
  server.pause();
  const slow = client.get("a");
  server.resume();
  expect(await slow).toBe("1");
  await server.restart();
  expect(server.pid).not.toBe(pid);
  expect(await client.get("a")).toBeNull();
  client.disconnect();
  await server.stop();
  expect(isAlive(server.pid)).toBe(false);
});

it("starts a cluster of three masters", async () => {
  const { nodes, stop } = await startCluster(3);
  const client = new Redis(nodes[2]!.url);
  await expect(client.get("a")).resolves.toBeNull();
  await expect(client.get("c")).rejects.toThrow("MOVED");
  client.disconnect();
  await stop();
});

it("leaves no Redis behind when the process is killed", async () => {
  const module = JSON.stringify(`${import.meta.dirname}/server.ts`);
  const script = `import { startRedis } from ${module}; console.log((await startRedis()).pid); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script]);
  const [line] = await once(child.stdout, "data");
  const pid = Number(line);
  expect(isAlive(pid)).toBe(true);
  child.kill("SIGKILL");
  await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
});
