import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createLimiter } from "sluice";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../stores/redis/server.ts";
import { type SeveringProxyOptions, severingProxy } from "./severing-proxy.ts";
import { openNamed } from "./stores.ts";

const WORKER = join(import.meta.dirname, "worker.ts");
/** A list of integers as a text: what the script of everything says. */
const DECISION = /\r\n\[\d{16},/;
const SLOW = { timeout: 120_000 };
type Direction = SeveringProxyOptions["direction"];

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(() => redis.restart());
afterAll(() => redis.stop());

/** A process that is killed in place of the n-th request or reply. Says how many calls were answered before. */
async function killedAt(task: "pair" | "spend", kind: string, direction: Direction, nth: number | RegExp) {
  let kill = () => {};
  const proxy = await severingProxy({ target: redis.port, direction, nth, sever: () => kill() });
  const args = ["--no-warnings", WORKER, task, `${kind}=redis://127.0.0.1:${proxy.port}`, "/dev/null"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  kill = () => child.kill("SIGKILL");
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await once(child, "close");
  await proxy.close();
  return { answered: said.split("+").length - 1, isKilled: proxy.hasSevered };
}

describe("a process killed in place of any request or reply", () => {
  it.each<Direction>(["request", "reply"])(
    "(%s) leaves a call that was charged to both keys or to none",
    SLOW,
    async (direction) => {
      const store = await openNamed(`redis=${redis.url}`);
      const limiter = createLimiter({ quota: "1000/h", store });
      let charged = 0;
      const lost: number[] = [];
      const killAt = async (nth: number | RegExp) => {
        const { answered, isKilled } = await killedAt("pair", "redis", direction, nth);
        const [shared, twin] = await Promise.all(["shared", "twin"].map((key) => limiter.peek(key, 0)));
        expect(shared!.remaining).toBe(twin!.remaining);
        const now = 1000 - shared!.remaining;
        lost.push(now - charged - answered);
        charged = now;
        return isKilled;
      };
      for (let nth = 1; await killAt(nth); nth++) expect(nth).toBeLessThan(30);
      expect(lost.at(-1)).toBe(0);
      // What a handshake consists of differs from run to run: the decision itself is found by what it looks like.
      expect(await killAt(direction === "request" ? /evalsha/i : DECISION)).toBe(true);
      await store.close?.();
      // What was answered is charged, and so is a call whose answer alone was lost.
      const most = direction === "request" ? 0 : 1;
      expect(lost.every((units) => units === 0 || units === most)).toBe(true);
      expect(lost.at(-1)).toBe(most);
    },
  );

  it.each<Direction>(["request", "reply"])(
    "(%s) has paid for every unit of a share that it used",
    SLOW,
    async (direction) => {
      const store = await openNamed(`leased+redis=${redis.url}`);
      const limiter = createLimiter({ quota: "600000/10min", store });
      let answered = 0;
      for (let nth = 1; ; nth++) {
        const run = await killedAt("spend", "leased+redis", direction, nth);
        answered += run.answered;
        const charged = 600_000 - (await limiter.peek("shared", 0)).remaining;
        expect(charged).toBeGreaterThanOrEqual(answered);
        if (!run.isKilled) break;
        expect(nth).toBeLessThan(60);
      }
      expect(answered).toBeGreaterThan(300);
      await store.close?.();
    },
  );
});
