import { concurrency, type Store, slidingWindow } from "sluice";
import { expect } from "vitest";
import { block } from "../../../../src/algorithms/block.ts";
import type { QueueNews, QueueTerms, SharedQueue } from "../../../../src/limiter/shared-queue.ts";
import { ledger } from "../../../../src/limiter/store.ts";

/** One place, and limits of every kind of account, none of which is near. */
export function relayTerms(name = "upstream"): QueueTerms {
  const wide = { unit: "cost", isPlace: false, endsWithWindow: false } as const;
  const window = slidingWindow({ limit: 10_000, periodMs: 60_000 });
  return {
    name,
    pause: ledger("pause", block),
    rules: [
      {
        ...wide,
        ledger: ledger("place", concurrency({ limit: 1, leaseMs: 600_000 })),
        per: "queue",
        unit: "call",
        isPlace: true,
      },
      { ...wide, ledger: ledger("lane", window), per: "lane" },
      { ...wide, ledger: ledger("group", window), per: "group" },
      { ...wide, ledger: ledger("rest", window), per: "rest" },
    ],
    grace: 1_000_000,
    ownerLife: 600_000_000,
    pace: [],
    interval: 6_000,
    recovery: 10_000_000,
  };
}

/** Two owners of one queue that hand one place to each other: each hears of its turn only by what is published. */
export interface Relay {
  /** The other one gets the place, and hears of it. Fails when it hears nothing for long. */
  handOver(): Promise<void>;
  /** What the other one heard last. */
  readonly heard: QueueNews | undefined;
  readonly queues: readonly SharedQueue[];
}

let tickets = 0;

export function relay(stores: readonly [Store, Store], terms = relayTerms()): Relay {
  const said: { heard: QueueNews | undefined } = { heard: undefined };
  const queues = stores.map((store, i) =>
    store.queue!(terms, {
      owner: `owner-${i}`,
      inform(news) {
        said.heard = news;
      },
    }),
  );
  const granted = () => said.heard?.grants.map(({ id }) => id);
  return {
    queues,
    get heard() {
      return said.heard;
    },
    async handOver() {
      const [holder, other] = queues as [SharedQueue, SharedQueue];
      const [mine, next] = [++tickets, ++tickets];
      const ticket = { cost: 1, offset: 0 };
      // News may be lost while a subscription is not there yet: then it is tried again.
      await expect
        .poll(
          async () => {
            said.heard = undefined;
            const reply = await holder.exchange({ enter: [{ ...ticket, id: mine, lane: "~a~x" }] });
            expect(reply.grants.map(({ id }) => id)).toEqual([mine]);
            const waits = await other.exchange({ enter: [{ ...ticket, id: next, lane: "~b~y" }] });
            expect(waits).toMatchObject({ grants: [], ahead: 0, length: 1 });
            await holder.exchange({ ended: reply.grants });
            await expect
              .poll(granted, { timeout: 500, interval: 2 })
              .toBeDefined()
              .catch(() => {});
            await other.exchange({ leave: [next], ended: [{ id: next, lane: "~b~y", cost: 1 }] });
            return granted();
          },
          { timeout: 15_000, interval: 20 },
        )
        .toEqual([next]);
      queues.reverse();
    },
  };
}
