import { Cluster } from "ioredis";
import { concurrency, type Ledger, slidingWindow, tokenBucket } from "sluice";
import { redisStore } from "sluice/redis";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ledger } from "../../../src/limiter/store.ts";
import { keyNames } from "../../../src/stores/redis/key-names.ts";
import { slotOf } from "../../../src/stores/redis/slot.ts";
import { type RedisCluster, startCluster } from "./cluster.ts";

let cluster: RedisCluster;
let client: Cluster;
beforeAll(async () => {
  cluster = await startCluster(3);
  const nodes = cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
  client = new Cluster(nodes, { retryDelayOnFailover: 0 });
});
afterAll(async () => {
  client.disconnect();
  await cluster.stop();
});

const window = ledger("window", slidingWindow({ limit: 2, periodMs: 60_000 }));
const bucket = ledger("bucket", tokenBucket({ limit: 2, periodMs: 60_000 }));
const places = ledger("places", concurrency({ limit: 2, leaseMs: 60_000 }));
const account = (of: Ledger, key: string) => ({ ledger: of, key, tag: "upstream" });

it("keeps accounts of one tag in one slot, whatever their keys are, and whatever the store says about tags", () => {
  for (const hashTag of [undefined, () => "all", (key: string) => key.slice(0, 1)]) {
    const names = keyNames({ prefix: "p:", ...(hashTag && { hashTag }) });
    const all = ["upstream", "~a~b", "lane of nobody"].map((key) => names.of(account(window, key)));
    expect(new Set(all.map(slotOf)).size).toBe(1);
    expect(new Set(all).size).toBe(3);
    expect(names.of({ ledger: window, key: "k", tag: "k" })).toBe(names.of({ ledger: window, key: "k" }));
  }
});

it.each([window, bucket, places])("decides about an account of another tag by its one name: $space", async (of) => {
  const store = redisStore({ client, prefix: `t${of.space.length}:`, timeoutMs: 10_000 });
  const lane = { ...account(of, "~a~b"), cost: 1, receipt: 0 };
  const common = { ...account(window, "upstream"), cost: 1 };
  const { receipt: _, ...plain } = lane;
  await store.take([{ ...plain, ...(of === places && { receipt: 7 }) }]);
  // Together with another account of the same tag, and by itself once more: they all see one state.
  expect((await store.take([{ ...lane, receipt: 8 * Number(of === places) }, common]))[0]).toMatchObject({
    allowed: true,
    remaining: 0,
  });
  expect((await store.take([{ ...plain, ...(of === places && { receipt: 9 }) }]))[0]).toMatchObject({ allowed: false });
});
