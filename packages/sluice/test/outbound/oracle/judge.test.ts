import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { startOracleApart } from "./apart.ts";
import { type PolicyName, policies } from "./policies.ts";
import { type Oracle, type OracleOptions, startOracle } from "./server.ts";
import { worstWindow } from "./windows.ts";

const LIMIT = 10;
const PERIOD_MS = 200;

const running: Oracle[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((oracle) => oracle.stop()));
});

/**
 * The plainest client that keeps to a limit, one place per unit: a place is free again a period after the call in it
 * started, or after it ended.
 */
async function callInPlaces({ url }: Oracle, calls: number, anchor: "start" | "end"): Promise<void> {
  let left = calls;
  const place = async () => {
    while (left-- > 0) {
      const answered = fetch(url).then((response) => response.text());
      const started = pause(PERIOD_MS + 2);
      await answered;
      await (anchor === "start" ? started : pause(PERIOD_MS + 2));
    }
  };
  await Promise.all(Array.from({ length: LIMIT }, place));
}

const begin = async (start: typeof startOracle, options: Partial<OracleOptions>) => {
  const oracle = await start({ limit: LIMIT, periodMs: PERIOD_MS, ...options });
  running.push(oracle);
  return oracle;
};

it("rejects nobody who counts from the end of calls, under any policy, however long they are on their way", async () => {
  const names = Object.keys(policies) as PolicyName[];
  const seen = await Promise.all(
    names.map(async (policy) => {
      const oracle = await begin(startOracle, { policy, beforeMs: [0, 100], afterMs: [0, 50] });
      await callInPlaces(oracle, 40, "end");
      const { arrivals, rejected } = await oracle.report();
      const stamps = arrivals.map(({ atMs }) => atMs);
      return { policy, rejected, arrivals: stamps.length, isOver: worstWindow(stamps, PERIOD_MS) > LIMIT };
    }),
  );
  expect(seen).toEqual(names.map((policy) => ({ policy, rejected: 0, arrivals: 40, isOver: false })));
});

it("rejects who counts from the start of calls, when their ways differ", async () => {
  const oracle = await begin(startOracleApart, { beforeMs: [0, 190] });
  await callInPlaces(oracle, 80, "start");
  expect((await oracle.report()).rejected).toBeGreaterThan(0);
});
