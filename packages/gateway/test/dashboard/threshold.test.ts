import { describe, expect, it } from "vitest";
import { replay } from "../../dashboard/src/replay.ts";
import type { LimitHistory } from "../../src/admin/live/history.ts";
import { picture } from "./browser.ts";
import { livePages, panel } from "./pages.ts";
import { POLICIES, traffic } from "./scene.ts";

const open = livePages();

describe("a threshold that is dragged", () => {
  it("says who would have been refused, and becomes a policy on trial", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    await traffic(gateway);
    await page.getByRole("button", { name: "Try another limit of tools.search, 20 per minute" }).click();
    const dialog = page.getByRole("dialog", { name: "Try another limit of tools.search" });
    await dialog.getByText("20 would refuse 1 of 3").waitFor();
    await dialog.getByRole("row", { name: /^API key crawler 46 26 56\.5 % 46/ }).waitFor();
    const line = dialog.getByRole("slider", { name: "Limit to try" });
    const from = (await line.boundingBox())!;
    const plot = (await dialog.locator(".u-over").boundingBox())!;
    const x = from.x + from.width / 2;
    // The whole height is 1.15 times what was asked most in a minute.
    const yOf = (limit: number) => plot.y + plot.height * (1 - limit / (46 * 1.15));
    await page.mouse.move(x, from.y + from.height / 2);
    await page.mouse.down();
    await page.mouse.move(x, yOf(10), { steps: 6 });
    await page.mouse.up();
    await dialog.getByText("10 would refuse 2 of 3").waitFor();
    await dialog.getByRole("row", { name: /^API key ann 14 4 28\.6 % 14/ }).waitFor();
    await dialog.getByText("20, as it is: 1, 40.6 %").waitFor();
    await line.press("ArrowDown");
    await line.press("PageUp");
    await dialog.getByText("19 would refuse 1 of 3").waitFor();
    await dialog.getByLabel("Limit to try, per 1 min").fill("12");
    await dialog.getByText("try-tools.search-12").waitFor();
    await picture(page, "threshold");
    await dialog.getByRole("button", { name: "Copy" }).click();
    await dialog.getByRole("button", { name: "Copied" }).waitFor();
    const yaml = await page.evaluate(() => navigator.clipboard.readText());
    expect(yaml).toBe(
      "policies:\n  - name: try-tools.search-12\n    match:\n      tool: search\n    quota: 12/min\n    mode: shadow\n",
    );
    await dialog.getByRole("button", { name: "Close" }).click();
    // As somebody does it who adds it to the file.
    gateway.write(`tools: { search: 20/min }\n${yaml}`);
    await page.getByText("v2, read").waitFor();
    await gateway.calls(13, "search", "bob");
    const tried = panel(page, "Policies").getByRole("row", { name: /^try-tools\.search-12 on trial 12 per minute/ });
    await tried.getByText(/^1$/).waitFor();
    expect(wrongs).toEqual([]);
  });
});

describe("the replay of what was asked", () => {
  const history = (asked: readonly (readonly number[])[], slotMs = 1_000, periodMs = 3_000): LimitHistory => ({
    ...{ policy: "p", quota: "q", rate: "r", mode: "enforce", limit: 1, periodMs, slotMs, from: 10_000 },
    keys: asked.map((one, i) => ({ key: `k${i}`, asked: one })),
    left: { keys: 0, units: 0 },
  });

  it("charges what passes, and lets it flow back", () => {
    const [one] = replay(history([[2, 2, 0, 2, 0, 0, 3]]), 3);
    expect(one).toEqual({
      ...{ key: "k0", asked: 9, refused: 1, peak: 4, firstAt: 11_000 },
      trailing: [2, 4, 4, 4, 2, 2, 3],
    });
  });

  it("refuses nothing of those who keep to it, and everything beyond it of those who do not", () => {
    const [calm, wild] = replay(
      history(
        [
          [1, 1, 1, 1],
          [10, 10, 10, 10],
        ],
        1_000,
        1_000,
      ),
      4,
    );
    expect(calm).toMatchObject({ refused: 0, peak: 1 });
    expect(calm).not.toHaveProperty("firstAt");
    expect(wild).toMatchObject({ refused: 24, peak: 10 });
  });
});
