import { benchTop, drain, insist, type Library, same, settled, warm } from "./bench-top.ts";

/** What holds for facts that several processes share: blocks, resets, and what the store knows at all. */
export const blockRules: Record<string, (library: Library) => Promise<void>> = {
  async "blocks here at once, and in other processes within a lease"(library) {
    const top = benchTop(library);
    const other = top.another();
    await warm(top, 20);
    await warm(other, 20);
    void top.limiter.block("k", 60_000);
    same((await top.limiter.consume("k")).allowed, false, "allowed here");
    await settled();
    await other.clock.advance(1_000);
    const { allowed, quota, retryAfterMs } = await other.limiter.consume("k");
    same(allowed, false, "allowed in another process");
    same(quota, "block", "what refuses");
    same(retryAfterMs, 59_000, "retry after");
    await top.limiter.reset("k");
    same((await top.limiter.consume("k")).allowed, true, "allowed after a reset");
    await other.clock.advance(1_000);
    same((await other.limiter.consume("k")).allowed, true, "allowed after a reset in another process");
  },

  async "does not take a reset by another process for a loss"(library) {
    const top = benchTop(library);
    const other = top.another();
    await warm(top, 20);
    await other.limiter.reset("k");
    await top.clock.advance(200);
    same((await top.limiter.consume("k")).allowed, true, "allowed");
    await settled();
    same(top.store.stats().stateLosses, 0, "state losses");
    insist((await other.limiter.peek("k", 0)).remaining >= 900, () => "what was reset came back");
  },

  async "finds out that the store lost its state, and tells it what it knows"(library) {
    const top = benchTop(library);
    const other = top.another();
    for (let i = 0; i < 300; i++) await top.limiter.consume("k");
    for (let i = 0; i < 300; i++) await other.limiter.consume("k");
    await top.clock.advance(300);
    top.flush();
    await top.limiter.consume("k");
    await settled();
    same(top.store.stats().stateLosses, 1, "state losses");
    same((await top.limiter.consume("k")).allowed, false, "allowed while others tell what they know");
    same((await other.limiter.consume("k")).allowed, false, "allowed in another process");
    await settled();
    await top.clock.advance(1_100);
    const used = 601 + (await drain(top));
    insist(used <= 1000 && used > 900, () => `${used} of 1000 were used, in spite of a loss`);
  },
};
