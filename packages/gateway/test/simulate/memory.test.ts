import { expect, it } from "vitest";
import { readConfig } from "../../src/config/read-config.ts";
import { clientRows } from "../../src/simulate/client-rows.ts";
import type { LoggedCall } from "../../src/simulate/logged-call.ts";
import { inOrder } from "../../src/simulate/readers/in-order.ts";
import { linesOf } from "../../src/simulate/readers/lines.ts";
import { readLog } from "../../src/simulate/readers/read-log.ts";
import { replay } from "../../src/simulate/replay.ts";
import { tally } from "../../src/simulate/tally.ts";

const CALLS = 300_000;
const AT = Date.UTC(2026, 0, 1);

/** A log as large as somebody likes: bytes are made when they are asked for, and each client, tool and tier calls once or twice. */
async function* largeLog(): AsyncGenerator<Buffer> {
  for (let i = 0; i < CALLS; ) {
    const lines: string[] = [];
    for (const end = i + 1_000; i < end; i++) {
      // Every second client calls twice at once, and is refused.
      const call = {
        time: AT + i * 400 - (i % 7) * 900,
        client: `c${i - (i % 4 === 1 ? 1 : 0)}`,
        tool: `t${i % 20_000}`,
        tier: `x${i % 3_000}`,
      };
      lines.push(i % 50 === 25 ? "broken" : JSON.stringify(call));
    }
    yield Buffer.from(`${lines.join("\n")}\n`);
  }
}

it("keeps no more of a large log than it says, whatever is in it", async () => {
  const clients = clientRows({ mostQuiet: 2_000, mostNoted: 1_000 });
  const sums = tally({ clients });
  const log = readLog(["log"], { open: largeLog });
  let mostHeld = 0;
  const watched = async function* () {
    for await (const batch of log.batches) {
      mostHeld = Math.max(mostHeld, log.stats.order.held);
      yield batch;
    }
  };
  const candidate = readConfig("perClient: 1/min\ntools: { '*': 100/min }", "x", {});
  const { keys } = await replay(watched(), { candidate, tally: sums });
  const bad = CALLS / 50;
  expect(log.stats).toMatchObject({ calls: CALLS - bad, bad });
  expect(sums.all.calls).toBe(CALLS - bad);
  expect(sums.all.refused).toBeGreaterThan(50_000);
  // A window of ten seconds has 25 calls at 2.5 in a second; with a batch of them no more than this.
  expect(mostHeld).toBeLessThan(3_000);
  expect(clients.noted.size).toBe(1_000);
  expect(clients.known).toBeGreaterThan(100_000);
  expect(clients.isWhole).toBe(false);
  expect(sums.tools.size).toBeLessThanOrEqual(501);
  expect(sums.tiers.size).toBeLessThanOrEqual(501);
  expect(sums.timeline.slices.length).toBeLessThanOrEqual(240);
  expect(log.stats.badLines).toHaveLength(10);
  // Keys of limits that are as good as new are forgotten after a minute.
  expect(keys).toBeLessThan(2_000);
});

it("holds calls of one moment back only up to a number", () => {
  const order = inOrder({ most: 100 });
  let given = 0;
  for (let i = 0; i < 100; i++) {
    const batch = Array.from({ length: 50 }, (): LoggedCall => ({ time: AT, client: "a", method: "ping" }));
    given += order.push(batch).length;
    expect(order.held).toBeLessThanOrEqual(100);
  }
  expect(given + order.end().length).toBe(5_000);
});

it("does not keep a line that never ends", async () => {
  let pieces = 0;
  const endless = async function* () {
    for (; pieces < 2_000; pieces++) yield Buffer.alloc(10_000, "x");
    yield Buffer.from("\nlast");
  };
  const texts = [];
  for await (const lines of linesOf(endless(), 50_000)) texts.push(...lines.texts);
  expect(pieces).toBe(2_000);
  expect(texts).toEqual([undefined, "last"]);
});
