import { afterAll, beforeAll, expect } from "vitest";
import { until } from "./clients.ts";

/** Checks that the tests of a file leave no timer behind that would keep the process alive. */
export function leavesNoTimers(): void {
  let before = 0;
  beforeAll(() => {
    before = timers();
  });
  afterAll(async () => {
    await until(() => timers() <= before, 5_000).catch(() => {});
    expect(timers(), "timers that are still armed").toBeLessThanOrEqual(before);
  });
}

/** `until` waits with a timer of its own, which has fired when it looks. */
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
