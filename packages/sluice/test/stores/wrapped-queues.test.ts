import { fallback, leased, memoryStore, rememberRefusals, type Store, StoreTimeoutError, timeout } from "sluice";
import { type ManualClock, manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import type { QueueNews, QueueReply, QueueSeat, QueueTerms } from "../../src/limiter/shared-queue.ts";
import { termsWith } from "./sqlite/queue/terms.ts";

const terms = termsWith([]);
const reply: QueueReply = {
  now: 7,
  grants: [{ id: 1, lane: "~a~x", cost: 1, receipts: [], at: 7, usable: 5, remaining: 1, limit: 2 }],
  wakeAfter: 9,
  note: { rank: 1, text: "n" },
  missing: [3],
  never: [],
  length: 4,
  ahead: 0,
  nextAfter: 9,
  rate: 1,
};

/** A store with a queue that answers when it is told to. */
function scene(wrap: (store: Store) => Store) {
  const clock = manualClock();
  const asked: unknown[] = [];
  const news: QueueNews[] = [];
  let answer = Promise.withResolvers<QueueReply>();
  const memory = memoryStore({ clock });
  const store: Store = {
    clock,
    take: async (...args) => memory.take(...args),
    forget: async (accounts) => memory.forget(accounts),
    queue: (own: QueueTerms, { owner }: QueueSeat) => ({
      exchange(request) {
        asked.push([own.name, owner, request]);
        answer = Promise.withResolvers();
        return answer.promise;
      },
      close: () => void asked.push("closed"),
    }),
  };
  const queue = wrap(store).queue!(terms, { owner: "me", inform: (told) => news.push(told) });
  return { clock, asked, news, queue, answer: () => answer };
}

const wrappers: Record<string, (store: Store) => Store> = {
  timeout: (store) => timeout(store),
  fallback: (store) => fallback(store, "open"),
  rememberRefusals: (store) => rememberRefusals(store),
  "all of them": (store) => fallback(rememberRefusals(timeout(store)), "closed"),
};

describe.each(Object.entries(wrappers))("a queue through %s", (_name, wrap) => {
  it("is asked, answers, fails and closes as the store's own", async () => {
    const { asked, queue, answer, news } = scene(wrap);
    const asking = queue.exchange({ leave: [3] });
    answer().resolve(reply);
    expect(await asking).toEqual(reply);
    const failing = queue.exchange({});
    answer().reject(new Error("the wire is cut"));
    await expect(failing).rejects.toThrow("the wire is cut");
    await queue.close();
    expect(asked).toEqual([["upstream", "me", { leave: [3] }], ["upstream", "me", {}], "closed"]);
    expect(news).toEqual([]);
  });

  it("is not there when the store has none", () => {
    expect(wrap(memoryStore()).queue).toBeUndefined();
    const { queue: _none, ...store } = memoryStore({ clock: manualClock() } as { clock: ManualClock });
    expect(wrap(store).queue).toBeUndefined();
  });
});

it("through timeout ends in time, and what is granted too late becomes news", async () => {
  const { clock, queue, answer, news } = scene((store) => timeout(store, 50));
  const late = queue.exchange({});
  const failed = expect(late).rejects.toBeInstanceOf(StoreTimeoutError);
  await clock.advance(60);
  await failed;
  answer().resolve(reply);
  const { now, grants, wakeAfter, note } = reply;
  await expect.poll(() => news).toEqual([{ now, grants, wakeAfter, note }]);
});

it("through timeout is not asked while the store is left alone", async () => {
  const { asked, queue, answer } = scene((store) => timeout(store, { timeoutMs: 50, breakAfter: 1 }));
  const failing = queue.exchange({});
  answer().reject(new Error("the wire is cut"));
  await expect(failing).rejects.toThrow("the wire is cut");
  await expect(queue.exchange({})).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(asked.length).toBe(1);
});

it("has no way through leased", () => {
  expect(leased(memoryStore()).queue).toBeUndefined();
});
