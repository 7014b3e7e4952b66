import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { picture } from "./browser.ts";
import { livePages, panel } from "./pages.ts";
import { POLICIES, traffic } from "./scene.ts";

const open = livePages();

/** How many pixels of the chart have the color of this variable. */
const pixelsOf = (page: Page, name: string) =>
  panel(page, "Calls over time")
    .locator("canvas")
    .evaluate((canvas: HTMLCanvasElement, name) => {
      const pen = document.createElement("canvas").getContext("2d")!;
      pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
      pen.fillRect(0, 0, 1, 1);
      const wanted = String(pen.getImageData(0, 0, 1, 1).data);
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      let found = 0;
      for (let i = 0; i < data.length; i += 4) if (String(data.slice(i, i + 4)) === wanted) found++;
      return found;
    }, name);

it("what operators and the policy file change is said where the calls are shown, at its time", async () => {
  const { page, gateway, wrongs } = await open(POLICIES);
  await traffic(gateway);
  const changes = panel(page, "Calls over time").getByRole("listitem");
  expect([await pixelsOf(page, "--text"), await pixelsOf(page, "--refused-text")]).toEqual([0, 0]);
  gateway.write(POLICIES.replace("search: 20/min", "search: 30/min"));
  await changes.filter({ hasText: /^\d\d:\d\d:\d\d The policies were read anew: v2$/ }).waitFor();
  await expect.poll(() => pixelsOf(page, "--text")).toBeGreaterThan(10);
  gateway.write("perClient: [");
  await changes.filter({ hasText: "The policy file is bad, v2 stays" }).waitFor();
  await expect.poll(() => pixelsOf(page, "--refused-text")).toBeGreaterThan(10);
  await page.getByRole("button", { name: "Block crawler" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Block", exact: true }).click();
  await changes.filter({ hasText: /crawler is blocked: perClient, .*tools\.search/ }).waitFor();
  await panel(page, "Overrides").getByRole("button", { name: "Take back tools.search for crawler" }).click();
  await changes.filter({ hasText: "crawler has the limits of everybody again: tools.search" }).waitFor();
  await page.getByRole("button", { name: "Reset bob" }).click();
  await dialog.getByRole("button", { name: "Reset", exact: true }).click();
  await changes.filter({ hasText: /bob begins anew: perClient, .*writes/ }).waitFor();
  expect(await changes.count()).toBe(4);
  await panel(page, "Calls over time").getByText("1 earlier").click();
  await changes.filter({ hasText: "The policies were read anew" }).waitFor();
  await picture(page, "changes");
  expect(wrongs).toEqual([]);
});
