import fc from "fast-check";
import { expect, it } from "vitest";
import { createBackoff } from "../../../src/outbound/retry/backoff.ts";
import type { OutcomeClass } from "../../../src/outbound/retry/classify.ts";
import { planRetry, type RetryQuestion } from "../../../src/outbound/retry/plan.ts";
import { createRetryBudget } from "../../../src/outbound/retry/retry-budget.ts";

const backoff = createBackoff({ random: () => 0.5 });
const ask = (question: Partial<RetryQuestion> = {}) =>
  planRetry({
    attempt: 1,
    attempts: 3,
    outcomeClass: "transient",
    canRepeat: true,
    nowMs: 1_000,
    backoff,
    ...question,
  });

it("waits by the back-off, and longer when the upstream asks for it", () => {
  expect(ask()).toEqual({ delayMs: 100 });
  expect(ask({ attempt: 2 })).toEqual({ delayMs: 200 });
  expect(ask({ retryAfterMs: 7_000 })).toEqual({ delayMs: 7_350 });
});

it.each<readonly [OutcomeClass, object]>([
  ["throttled", { delayMs: 100 }],
  ["transient", { delayMs: 100 }],
  ["overloaded", { delayMs: 100 }],
  ["ok", { stop: "class" }],
  ["auth", { stop: "class" }],
  ["client", { stop: "class" }],
  ["unknown", { stop: "class" }],
])("after %s: %j", (outcomeClass, expected) => {
  expect(ask({ outcomeClass })).toEqual(expected);
});

it("makes as many attempts as it may, throttled ones too, and no more", () => {
  expect(ask({ attempt: 2, outcomeClass: "throttled" })).toHaveProperty("delayMs");
  expect(ask({ attempt: 3, outcomeClass: "throttled" })).toEqual({ stop: "attempts" });
  expect(ask({ attempts: 1 })).toEqual({ stop: "attempts" });
  expect(ask({ attempts: Number.NaN })).toEqual({ stop: "attempts" });
});

it("does not do twice what may do harm", () => {
  expect(ask({ canRepeat: false })).toEqual({ stop: "unsafe" });
});

it("tells at once when the upstream asks for more than there is time: it does not outsleep the caller", () => {
  expect(ask({ retryAfterMs: 7_000, deadlineMs: 7_999 })).toEqual({ stop: "deadline" });
  expect(ask({ retryAfterMs: 7_000, deadlineMs: 8_000 })).toEqual({ delayMs: 7_000 });
  expect(ask({ retryAfterMs: Infinity })).toEqual({ stop: "deadline" });
  expect(ask({ deadlineMs: 999 })).toEqual({ stop: "deadline" });
});

it("stops when too much is tried again already", () => {
  const budget = createRetryBudget({ minPerSecond: 0.1 });
  expect(ask({ budget })).toHaveProperty("delayMs");
  expect(ask({ budget })).toEqual({ stop: "budget" });
});

it("takes nothing from the budget for a retry that is not made for another reason", () => {
  const budget = createRetryBudget({ minPerSecond: 0.1 });
  ask({ budget, outcomeClass: "client" });
  ask({ budget, canRepeat: false });
  ask({ budget, attempt: 3 });
  ask({ budget, retryAfterMs: 100, deadlineMs: 1_050 });
  expect(ask({ budget })).toHaveProperty("delayMs");
});

it("never plans a retry earlier than told, past the deadline, or after the last attempt", () => {
  const time = fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.constantFrom(2 ** 31, 86_400_000));
  fc.assert(
    fc.property(
      fc.record({
        attempt: fc.integer({ min: 1, max: 10 }),
        attempts: fc.integer({ min: 1, max: 10 }),
        outcomeClass: fc.constantFrom<OutcomeClass>(
          "throttled",
          "transient",
          "overloaded",
          "auth",
          "client",
          "unknown",
        ),
        canRepeat: fc.boolean(),
        retryAfterMs: fc.option(time, { nil: undefined }),
        deadlineMs: fc.option(time, { nil: undefined }),
        nowMs: time,
      }),
      fc.double({ min: 0, max: 0.999_999, noNaN: true }),
      (question, random) => {
        const plan = planRetry({ ...question, backoff: createBackoff({ random: () => random }) });
        const { attempt, attempts, outcomeClass, canRepeat, retryAfterMs = 0, deadlineMs = Infinity, nowMs } = question;
        const isWorthIt = ["throttled", "transient", "overloaded"].includes(outcomeClass);
        const isPossible = isWorthIt && canRepeat && attempt < attempts && nowMs + retryAfterMs <= deadlineMs;
        expect("delayMs" in plan).toBe(isPossible);
        if (!("delayMs" in plan)) return;
        expect(plan.delayMs).toBeGreaterThanOrEqual(retryAfterMs);
        expect(plan.delayMs).toBeLessThanOrEqual(deadlineMs - nowMs);
      },
    ),
    { numRuns: 2_000 },
  );
});
