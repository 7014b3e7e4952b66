import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openPage, PHONE, picture, startBrowser } from "./browser.ts";
import { startWatchable, TOKEN, type Watchable } from "./gateway.ts";
import { signIn } from "./pages.ts";

let browser: Browser;
let gateway: Watchable;
const cleanup: (() => unknown)[] = [];

beforeAll(async () => {
  browser = await startBrowser();
}, 600_000);
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});
afterAll(() => browser?.close());

async function watch(policies: string, options?: Parameters<typeof openPage>[1]) {
  gateway = await startWatchable(policies);
  cleanup.push(() => gateway.stop());
  const watched = await openPage(browser, options);
  cleanup.push(() => watched.close());
  return watched;
}

describe("signing in", () => {
  it("takes the token, keeps it over a reload, and never puts it into an address", async () => {
    const { page, wrongs } = await watch("tools: { search: 5/min }");
    await page.goto(gateway.page);
    await page.getByLabel("Admin token").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("This needs the admin token.").waitFor();
    await page.getByLabel("Admin token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.getByText("Live", { exact: true }).waitFor();
    await page.reload();
    await page.getByText("Live", { exact: true }).waitFor();
    expect(new URL(page.url()).search + new URL(page.url()).hash).toBe("");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Admin token").waitFor();
    await page.reload();
    await page.getByLabel("Admin token").waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    expect(wrongs).toEqual([]);
  });
});

describe("the page", () => {
  it("shows where the gateway stands, and what is called, as it happens", async () => {
    const { page, wrongs } = await watch("tools: { search: 5/min }");
    await signIn(page, gateway);
    await page.getByText("enforce", { exact: true }).waitFor();
    await gateway.calls(8, "search", "ann");
    await page.getByText("8 in a minute").waitFor();
    await page.getByText("3 in a minute").waitFor();
    await picture(page, "first");
    expect(wrongs).toEqual([]);
  });

  it("fits a phone", async () => {
    const { page } = await watch("tools: { search: 5/min }", { size: PHONE });
    await signIn(page, gateway);
    await gateway.calls(8, "search", "ann");
    await page.getByText("8 in a minute").waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.width);
    await picture(page, "first-phone");
  });
});
