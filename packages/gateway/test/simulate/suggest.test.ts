import { parseRate } from "sluice";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/read-config.ts";
import type { LoggedCall } from "../../src/simulate/logged-call.ts";
import { replay } from "../../src/simulate/replay.ts";
import { suggest } from "../../src/simulate/suggest.ts";
import { NO_TIER } from "../../src/simulate/tally.ts";
import { unitsOf, withUnits } from "../../src/simulate/varied-limits.ts";
import { seeded } from "./seeded.ts";

const AT = Date.UTC(2026, 10, 23, 8);

/** Some hours of bursty clients, some of which pay. */
function calls(seed: number, count = 1_500): readonly LoggedCall[] {
  const random = seeded(seed);
  const all: LoggedCall[] = [];
  let time = AT;
  while (all.length < count) {
    time += random() < 0.2 ? 60_000 * random() : 900 * random();
    const nth = Math.floor(random() * random() * 6);
    all.push({
      time: Math.round(time * 1000) / 1000,
      client: `client ${nth}`,
      tier: nth < 2 ? "pro" : "free",
      method: "tools/call",
      tool: random() < 0.5 ? "search" : random() < 0.5 ? "fetch" : "export",
      args: { rows: Math.ceil(random() * 400) },
    });
  }
  return all;
}

const log = (list: readonly LoggedCall[]) => ({
  // Readers give each reading objects of its own.
  async *read() {
    yield list.map((call) => ({ ...call }));
  },
});

/** How many calls a policy file refuses by itself, and how many fall under it. */
async function refusedBy(text: string, list: readonly LoggedCall[]): Promise<number> {
  const { tally } = await replay([list], { candidate: readConfig(text, "x", {}) });
  return tally.all.refused;
}

const TIERS = ["pro", "free"];

describe("what is suggested", () => {
  it.each<[string, string, (rate: string, tier: string | undefined) => string, (call: LoggedCall) => boolean]>([
    ["perClient", "perClient: 100/min", (rate) => `perClient: ${rate}`, () => true],
    ["a token bucket", "perClient: 10/min burst 5", (rate) => `perClient: ${rate}`, () => true],
    ["of a day", "perClient: 100/day UTC", (rate) => `perClient: ${rate}`, () => true],
    [
      "a tool",
      "tools: { search: 5/min, '*': 9/min }",
      (rate) => `tools: { search: ${rate} }`,
      ({ tool }) => tool === "search",
    ],
    [
      "all other tools",
      "tools: { '*': 9/min, search: 1/min }",
      (rate) => `policies: [{ name: a, match: { not: { tool: search } }, quota: ${rate} }]`,
      ({ tool }) => tool !== "search",
    ],
    ["global", "global: 5/min", (rate) => `global: ${rate}`, () => true],
    [
      "a cost",
      "policies: [{ name: a, cost: { argument: rows, per: 100 }, quota: 9/min }]",
      (rate) => `policies: [{ name: a, cost: { argument: rows, per: 100 }, quota: ${rate} }]`,
      () => true,
    ],
    [
      "tiers",
      "policies: [{ name: a, tiers: { pro: 9/min, '*': 3/h } }]",
      (rate, tier) => `policies: [{ name: a, tiers: { ${tier}: ${rate}, '*': 1/h } }]`,
      () => true,
    ],
  ])(
    "refuses few enough when it is replayed, and one unit less refuses too many: %s",
    async (_what, text, file, isUnder) => {
      for (const [seed, part] of [
        [1, 0.01],
        [2, 0.05],
      ] as const) {
        const list = calls(seed);
        const config = readConfig(text, "x", {});
        const suggestions = await suggest({ config, tiers: TIERS, part, ...log(list) });
        expect(suggestions.length).toBeGreaterThan(0);
        for (const { limit, tier, smallest, calls: under, refused, oneLess } of suggestions) {
          if (limit === "tools.*" && text.startsWith("tools: { search")) continue;
          if (limit === "tools.search" && text.startsWith("tools: { '*'")) continue;
          const own = list.filter((call) => isUnder(call) && (tier === undefined || call.tier === tier));
          expect(under).toBe(own.length);
          expect(await refusedBy(file(smallest!, tier), own)).toBe(refused);
          expect(refused).toBeLessThanOrEqual(part * own.length);
          const units = unitsOf(smallest!)!;
          if (units === 1) {
            expect(oneLess).toBeUndefined();
            continue;
          }
          const rate = config.policies?.[0]?.tiers
            ? smallest!.replace(/^\d+/, String(units - 1))
            : withUnits(text.match(/\d+\/[\w ]+?(?=[,}"]|$| \})/)![0], units - 1);
          expect(await refusedBy(file(rate, tier), own)).toBe(oneLess);
          expect(oneLess).toBeGreaterThan(part * own.length);
        }
      }
    },
  );

  it("is one number for all where the log has one tier, and where clients share the limit", async () => {
    const list = calls(1, 300);
    const config = readConfig("perClient: 5/min\nglobal: 9/min", "x", {});
    const one = await suggest({ config, tiers: [NO_TIER], part: 0.01, ...log(list) });
    expect(one.map(({ limit, tier }) => [limit, tier])).toEqual([
      ["perClient", undefined],
      ["global", undefined],
    ]);
    const two = await suggest({ config, tiers: TIERS, part: 0.01, ...log(list) });
    expect(two.map(({ limit, tier }) => [limit, tier])).toEqual([
      ["perClient", "pro"],
      ["perClient", "free"],
      ["global", undefined],
    ]);
  });

  it("leaves out limits that no call meets", async () => {
    const config = readConfig("tools: { other: 5/min, search: 5/min }", "x", {});
    const found = await suggest({ config, tiers: [NO_TIER], part: 0.01, ...log(calls(1, 300)) });
    expect(found.map(({ limit }) => limit)).toEqual(["tools.search"]);
  });

  it("says when nothing is large enough", async () => {
    const config = readConfig("policies: [{ name: a, quota: 5/min, cost: { argument: rows } }]", "x", {});
    const list = calls(1, 100).map((call) => ({ ...call, args: { rows: 1e9 } }));
    const [one] = await suggest({ config, tiers: [NO_TIER], part: 0.01, ...log(list) });
    expect(one).toEqual({ limit: "a", now: "5/min", calls: 100, refused: 0 });
  });
});

it.each([
  ["60/min", 7, "7/min"],
  ["1_000/day UTC", 5, "5/day UTC"],
  ["20/s burst 40", 3, "3/s burst 6"],
  ["4/10s burst 1", 2, "2/10s burst 1"],
])("%s with %i units is %s", (rate, units, other) => {
  expect(withUnits(rate, units)).toBe(other);
  expect(() => parseRate(other)).not.toThrow();
});
