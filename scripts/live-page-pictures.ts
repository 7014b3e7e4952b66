// Makes the pictures of docs/live-page.md: a real gateway, a minute and a half of calls, and Chromium. Run it when the page has changed its
// looks, and then: pngquant --force --ext .png docs/images/live-page*.png
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { openPage, startBrowser } from "../packages/gateway/test/dashboard/browser.ts";
import { startWatchable, TOKEN, type Watchable } from "../packages/gateway/test/dashboard/gateway.ts";
import { POLICIES } from "../packages/gateway/test/dashboard/scene.ts";

const FOLDER = join(import.meta.dirname, "../docs/images");
const SECONDS = 80;
const SIZE = { width: 1280, height: 1440 };

mkdirSync(FOLDER, { recursive: true });
const gateway = await startWatchable(POLICIES);
const browser = await startBrowser();
const light = await openPage(browser, { size: SIZE });
const dark = await openPage(browser, { size: { width: 1280, height: 800 }, colorScheme: "dark" });
try {
  for (const { page } of [light, dark]) {
    await page.goto(gateway.page);
    await page.getByLabel("Admin token").fill(TOKEN);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("button", { name: "1 min", exact: true }).click();
  }
  for (let second = 0; second < SECONDS; second++) await Promise.all([calls(gateway, second), after(1_000)]);
  await light.page.getByRole("button", { name: "Override for bob" }).click();
  await light.page.getByLabel(/^Rate instead of/).fill("200/min");
  await light.page.getByLabel("Note").fill("import week");
  await light.page.getByRole("button", { name: "Set override" }).click();
  await light.page.getByText("200/min", { exact: true }).waitFor();
  await light.page.getByRole("button", { name: "Close this message" }).click();
  const refused = light.page.locator(".log tr").filter({ hasText: "refused" }).filter({ hasText: "again in" });
  await refused.first().getByRole("button", { name: "Why?" }).click();
  await light.page.evaluate(() => scrollTo(0, 0));
  await light.page.screenshot({ path: join(FOLDER, "live-page.png"), animations: "disabled" });
  await dark.page.getByRole("button", { name: "Try another limit of tools.search, 20 per minute" }).click();
  await dark.page.getByRole("spinbutton").fill("14");
  await dark.page.getByText("try-tools.search-14").waitFor();
  await dark.page.screenshot({ path: join(FOLDER, "live-page-threshold.png"), animations: "disabled" });
} finally {
  await browser.close();
  await gateway.stop();
}

/** What clients do within a second: some at a steady pace, some in bursts, one far too often. */
async function calls({ calls: call }: Watchable, second: number): Promise<void> {
  const wave = 3 + Math.round(2 * Math.sin(second / 6));
  await Promise.all([
    call(wave, "read_page", "ann"),
    ...(second % 4 === 0 ? [call(1, "search", "ann")] : []),
    ...(second % 7 === 3 ? [call(2, "search", "bob"), call(2, "write_note", "bob")] : []),
    ...(second % 20 > 11 ? [call(4, "search", "crawler")] : []),
    ...(second % 9 === 5 ? [call(5, "import_rows", "nightly-import")] : []),
    call(second % 3, "list_files"),
  ]);
}
