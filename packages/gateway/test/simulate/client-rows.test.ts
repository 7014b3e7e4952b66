import { describe, expect, it } from "vitest";
import { clientRows } from "../../src/simulate/client-rows.ts";

describe("rows of clients", () => {
  it("are kept while their clients call, however many others there are", () => {
    const rows = clientRows({ mostQuiet: 100 });
    const busy = rows.of("busy");
    for (let i = 0; i < 10_000; i++) {
      rows.of(`client ${i}`);
      if (i % 20 === 0) expect(rows.of("busy")).toBe(busy);
    }
    expect(rows.known).toBe(10_001);
    expect(rows.isWhole).toBe(false);
  });

  it("are whole as long as nobody is forgotten", () => {
    const rows = clientRows({ mostQuiet: 100 });
    for (let i = 0; i < 90; i++) rows.of(`client ${i % 45}`);
    expect(rows.known).toBe(45);
    expect(rows.isWhole).toBe(true);
  });

  it("stay for good when something was refused, as many as there is room for", () => {
    const rows = clientRows({ mostQuiet: 100, mostNoted: 3 });
    const noted = Array.from({ length: 5 }, (_, i) => rows.of(`refused ${i}`));
    for (const row of noted) rows.note(row);
    for (let i = 0; i < 1_000; i++) rows.of(`client ${i}`);
    for (const row of noted.slice(0, 3)) expect(rows.of(row.client)).toBe(row);
    for (const row of noted.slice(3)) expect(rows.of(row.client)).not.toBe(row);
    expect([...rows.noted.keys()]).toEqual(["refused 0", "refused 1", "refused 2"]);
    expect(rows.known).toBeGreaterThanOrEqual(1_005);
  });

  it("are noted once, also when they were met a while ago", () => {
    const rows = clientRows({ mostQuiet: 10 });
    const row = rows.of("ann");
    // Into the earlier generation.
    for (let i = 0; i < 7; i++) rows.of(`client ${i}`);
    rows.note(row);
    rows.note(row);
    expect(rows.of("ann")).toBe(row);
    expect(rows.noted.size).toBe(1);
    expect(rows.known).toBe(8);
  });
});
