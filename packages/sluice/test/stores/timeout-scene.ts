import { createLimiter, timeout } from "sluice";
import { manualClock } from "sluice/testing";
import { heldStore } from "../limiter/held-store.ts";

/** A limiter over a held store, and what became of its calls. */
export function scene(options?: Parameters<typeof timeout>[1]) {
  const clock = manualClock();
  const held = heldStore(clock);
  const store = timeout(held, options);
  const limiter = createLimiter({ quota: "10/min", store });
  const results: unknown[] = [];
  const call = () => {
    const n = results.push("waiting") - 1;
    limiter.consume("k").then(
      ({ allowed }) => (results[n] = allowed),
      (error) => (results[n] = error),
    );
  };
  /** Calls that the store fails, one after the other. */
  const fail = async (times: number, error = new Error("the wire is cut")) => {
    for (let i = 0; i < times; i++) {
      call();
      await held.fail(error);
    }
  };
  return { clock, held, store, limiter, results, call, fail };
}
