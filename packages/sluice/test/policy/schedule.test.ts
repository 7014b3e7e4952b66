import { memoryStore } from "sluice";
import { createMcpGate, type Policy } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { type ScheduledQuota, timetable } from "../../src/policy/schedule.ts";

const at = (text: string) => new Date(text).getTime();
const quota = "1/min";

describe("a schedule", () => {
  const night: ScheduledQuota = { from: "22:00", to: "06:00", timeZone: "Europe/Berlin", quota };
  const weekend: ScheduledQuota = { days: ["sat", "sun"], timeZone: "Europe/Berlin", quota };
  const friday: ScheduledQuota = { days: ["fri"], from: "20:00", to: "02:00", timeZone: "UTC", quota };

  it.each<[string, ScheduledQuota, string, boolean]>([
    ["before it begins", night, "2026-06-10T19:59:59Z", false],
    ["when it begins, in summer", night, "2026-06-10T20:00:00Z", true],
    ["when it begins, in winter", night, "2026-12-10T21:00:00Z", true],
    ["an hour before that", night, "2026-12-10T20:59:59Z", false],
    ["after midnight", night, "2026-06-10T22:30:00Z", true],
    ["when it ends", night, "2026-06-11T04:00:00Z", false],
    ["a Saturday there, though it is Friday here", weekend, "2026-06-12T22:00:00Z", true],
    ["a Monday there, though it is Sunday here", weekend, "2026-06-14T22:00:00Z", false],
    ["the evening on which it begins", friday, "2026-06-12T20:00:00Z", true],
    ["the morning after", friday, "2026-06-13T01:59:00Z", true],
    ["the evening after", friday, "2026-06-13T20:00:00Z", false],
    ["the morning of that day", friday, "2026-06-12T01:00:00Z", false],
  ])("knows whether it is its time: %s", (_, one, time, expected) => {
    expect(timetable([one])(at(time)) === 0).toBe(expected);
  });

  it("takes the first of several, and looks again each minute", () => {
    const find = timetable([weekend, night]);
    expect(find(at("2026-06-13T23:00:00Z"))).toBe(0);
    expect(find(at("2026-06-15T23:00:00Z"))).toBe(1);
    expect(find(at("2026-06-15T12:00:00Z"))).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [[], "its schedule is a list"],
    ["night", "its schedule is a list"],
    [[{ ...night, days: [] }], "days is a list of"],
    [[{ ...night, days: ["Monday"] }], "days is a list of"],
    [[{ ...night, from: "25:00" }], "from is a time of day"],
    [[{ ...night, to: "6" }], "to is a time of day"],
    [[{ ...night, to: "24:30" }], "to is a time of day"],
    [[{ ...night, timeZone: "Mars" }], "timeZone is the name of a zone"],
    [[{ quota }], "timeZone is the name of a zone"],
  ])("is refused when it cannot be: %j", (schedule, message) => {
    expect(() => timetable(schedule as ScheduledQuota[])).toThrow(message);
  });
});

describe("a policy with a schedule", () => {
  const policy: Policy = {
    name: "p",
    quota: "2/min",
    schedule: [{ from: "22:00", to: "06:00", timeZone: "UTC", quota: "5/min" }],
  };

  it("has other quotas at these times; what was used stays used", () => {
    const clock = manualClock({ wall: new Date("2026-11-29T21:59:50Z") });
    const gate = createMcpGate({ policies: [policy], store: memoryStore({ clock }), whenChanged: "carry" });
    const allowed = (count: number) => {
      let sum = 0;
      for (let id = 0; id < count; id++) {
        const request = { jsonrpc: "2.0", id, method: "tools/call", params: { name: "x" } } as const;
        const admission = gate.admit([request], { connection: "a" });
        if (!("then" in admission) && admission.refusal === undefined) sum++;
      }
      return sum;
    };
    expect(allowed(9)).toBe(2);
    clock.advanceSync(10_000);
    expect(allowed(9)).toBe(3);
    clock.advanceSync(8 * 3_600_000);
    expect(allowed(9)).toBe(2);
  });

  it("needs a quota for all other times", () => {
    const { quota: _, ...rest } = policy;
    const gate = (given: Policy) => () => createMcpGate({ policies: [given], store: memoryStore() });
    expect(gate({ ...rest, concurrency: 1 })).toThrow("a schedule needs a quota for all other times");
    expect(gate({ ...policy, tiers: { "*": "1/s" } })).toThrow("and no tiers");
  });
});
