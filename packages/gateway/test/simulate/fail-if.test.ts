import { describe, expect, it } from "vitest";
import { ConditionError, parseCondition } from "../../src/simulate/fail-if.ts";
import type { Report } from "../../src/simulate/report.ts";

const counts = { calls: 200, refused: 10, wasRefused: 4, newlyRefused: 8, newlyAllowed: 2 };
const report = {
  figures: {
    calls: 1000,
    refused: 10,
    was_refused: 4,
    newly_refused: 8,
    newly_allowed: 2,
    clients: 40,
    refused_clients: 2,
    newly_refused_clients: 1,
    on_trial: 0,
    waited: 5,
    wait_p50_ms: 900,
    wait_p95_ms: 4_000,
    longest_wait_ms: 5_000,
    longest_block_ms: 61_000,
    bad_lines: 3,
  },
  tiers: [{ tier: "free tier", ...counts }],
  tools: [{ tool: "search", ...counts, refused: 0 }],
  limits: [{ limit: "tools.search.per-minute", refused: 9 }],
} as unknown as Report;

describe("a condition", () => {
  it.each<[string, boolean]>([
    ["refused > 9", true],
    ["refused > 10", false],
    ["refused >= 10", true],
    ["refused < 11", true],
    ["refused <= 9", false],
    ["refused == 10", true],
    ["refused != 10", false],
    ["refused > 0.99%", true],
    ["refused > 1%", false],
    ["refused>=1 %", true],
    ["calls > 1_000", false],
    ["refused_clients >= 5%", true],
    ["refused_clients > 5%", false],
    ["longest_block_ms > 1min", true],
    ["longest_block_ms > 62s", false],
    ["wait_p95_ms > 3999", true],
    ["refused[tier=free tier] > 4%", true],
    ["refused[tier=free tier] > 5%", false],
    ["newly_allowed[ tool = search ] == 2", true],
    ["refused[tool=search] > 0", false],
    ["refused[tool=none] > 0", false],
    ["refused[limit=tools.search.per-minute] > 0.8%", true],
    ["refused > 100 or bad_lines > 2", true],
    ["refused > 1 and bad_lines > 3", false],
    ["refused > 1 && bad_lines > 2", true],
    // `and` binds closer.
    ["refused > 1 or refused > 1 and refused > 100", true],
    ["(refused > 1 || refused > 1) and refused > 100", false],
    ["((refused > 1))", true],
  ])("%s: %j", (text, holds) => {
    expect(parseCondition(text)(report)).toBe(holds);
  });

  it.each([
    ["", "a figure (calls, refused"],
    ["refused", "one of > >= < <= == != was expected, but there is nothing more"],
    ["refused > ", "a number, a percentage or a duration was expected"],
    ["refusd > 1", 'no figure "refusd"'],
    ["refused > 1 refused > 2", '"and" or "or" was expected, but there is "refused"'],
    ["refused > 1 and", "a figure"],
    ["(refused > 1", '")" was expected'],
    ["refused > 5s", '"5s" is no number'],
    ["longest_block_ms > 5%", "no percentage"],
    ["longest_block_ms > 5parsecs", 'no duration such as "30s"'],
    ["refused ~ 1", '"~ 1" cannot be read'],
    ["refused[user=a] > 1", "cannot be read"],
    ["clients[tier=a] > 1", "of a tier there are calls, refused"],
    ["newly_refused[limit=a] > 1", 'of a limit there is only "refused"'],
    ["1 > refused", "a figure"],
  ])("%j cannot be: %s", (text, message) => {
    expect(() => parseCondition(text)).toThrow(ConditionError);
    expect(() => parseCondition(text)).toThrow(message);
  });
});
