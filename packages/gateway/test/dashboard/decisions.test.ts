import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { picture } from "./browser.ts";
import { livePages, panel } from "./pages.ts";
import { POLICIES } from "./scene.ts";

const open = livePages();

const log = (page: Page) => panel(page, "Decisions");
const rows = (page: Page) => log(page).locator(".log > table > tbody > tr");

describe("the log of decisions", () => {
  it("says why: each quota before and after, the key and how it is made, and the very text that the model saw", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    const [told] = await gateway.calls(21, "search", "ann");
    await log(page).getByText("refused", { exact: true }).waitFor();
    const refused = rows(page).filter({ hasText: "again in" }).first();
    await refused.getByRole("button", { name: "Why?" }).click();
    const why = log(page).locator(".why");
    expect(await why.getByRole("blockquote").innerText()).toBe(told);
    await why.getByText("tools.search said no, so nothing was taken from any of them.").waitFor();
    const quota = (name: RegExp) => why.getByRole("row", { name });
    await quota(/^perClient 300 per minute 1 280 280 yes/).waitFor();
    await quota(/^tools\.search 20 per minute 1 0 0 no, again in/).waitFor();
    await quota(/principal:7:key:ann:0: ?the client, known by its API key/)
      .first()
      .waitFor();
    await picture(page, "why");
    await refused.getByRole("button", { name: "Why?" }).click();
    await why.waitFor({ state: "detached" });
    expect(wrongs).toEqual([]);
  });

  it("says of what passed what it took, and of keys with several parts how they are made", async () => {
    const { page, gateway } = await open(POLICIES);
    await gateway.calls(2, "import_rows", "bob");
    const first = rows(page).first();
    await first.getByText("import_rows").waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".log tbody tr").length === 2);
    await first.getByRole("button", { name: "Why?" }).press("Enter");
    const why = log(page).locator(".why");
    await why.getByText("All 3 quotas said yes.").waitFor();
    await why.getByRole("row", { name: /^imports 3 per second 1 2 1 yes/ }).waitFor();
    await why.getByText("the client, known by its API key, then the tool").waitFor();
    expect(await why.getByRole("blockquote").count()).toBe(0);
  });

  it("stands still while it is paused, and says how much has come", async () => {
    const { page, gateway } = await open(POLICIES);
    await gateway.calls(1, "read_page", "ann");
    await rows(page).first().getByText("ann").waitFor();
    await log(page).getByRole("button", { name: "Pause" }).click();
    await gateway.calls(3, "read_page", "bob");
    await log(page).getByRole("button", { name: "Resume, 3 new" }).waitFor();
    expect(await rows(page).count()).toBe(1);
    await log(page)
      .getByRole("button", { name: /^Resume/ })
      .click();
    await page.waitForFunction(() => document.querySelectorAll(".log tbody tr").length === 4);
  });

  it("shows what one looks for: an outcome, a client, a tool", async () => {
    const { page, gateway } = await open(POLICIES);
    await gateway.calls(22, "search", "crawler");
    await gateway.calls(2, "read_page", "ann");
    await gateway.calls(5, "import_rows", "ann");
    await log(page).getByText("waited", { exact: true }).first().waitFor();
    const shown = async (count: number) => {
      await page.waitForFunction((n) => document.querySelectorAll(".log tbody tr").length === n, count);
      return (await rows(page).allInnerTexts()).join("\n");
    };
    await log(page).getByLabel("Outcome").selectOption("Refused");
    expect(await shown(2)).not.toContain("ann");
    await log(page).getByLabel("Outcome").selectOption("On trial");
    expect(await shown(12)).toContain("would be refused");
    await log(page).getByLabel("Outcome").selectOption("Waited");
    // As many as had to: the second one may come when there is room again.
    await page.waitForFunction(() =>
      [...document.querySelectorAll(".log tbody tr")].every(({ textContent }) => textContent.includes("waited")),
    );
    expect((await rows(page).allInnerTexts()).every((row) => row.includes("import_rows"))).toBe(true);
    await log(page).getByLabel("Outcome").selectOption("All");
    await log(page).getByLabel("Client or tool").fill("read_");
    await shown(2);
    await page.getByRole("button", { name: "API key ann" }).click();
    expect(await log(page).getByLabel("Client or tool").inputValue()).toBe("principal:7:key:ann:0:");
    await shown(7);
    await panel(page, "Tools").getByRole("button", { name: "search" }).click();
    await shown(42);
    await log(page).getByLabel("Client or tool").fill("nobody");
    await log(page).getByText("Nothing fits.").waitFor();
  });

  it("shows names as they are: what clients make up is text", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    const name = `<img src="x" onerror="alert(1)">${"long".repeat(50)}`;
    await gateway.calls(1, name, "ann");
    await rows(page).first().getByText(name).waitFor();
    await panel(page, "Tools").getByText(name).waitFor();
    expect(await page.evaluate(() => document.querySelectorAll("img").length)).toBe(0);
    expect(wrongs).toEqual([]);
  });

  it("shows loops, and what the model was told of them", async () => {
    const { page, gateway } = await open(
      "perClient: 100/min\nloops: { warnAfter: 2, slowAfter: 2, stopAfter: 3, slow: 0s }\n",
    );
    const told = await gateway.calls(8, "search", "ann");
    await log(page).getByText("loop", { exact: true }).first().waitFor();
    await rows(page).filter({ hasText: "loop" }).last().getByRole("button", { name: "Why?" }).click();
    expect(told).toContain(await log(page).locator(".why").getByRole("blockquote").innerText());
  });
});
