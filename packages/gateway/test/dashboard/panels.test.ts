import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { picture } from "./browser.ts";
import { livePages, panel } from "./pages.ts";
import { POLICIES, traffic } from "./scene.ts";

const open = livePages();

const row = (page: Page, name: string, what: RegExp) => panel(page, name).getByRole("row", { name: what });
const dialog = (page: Page) => page.getByRole("dialog");

describe("the panels", () => {
  it("show who calls, with the tightest limit, in the order that one asks for", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    await panel(page, "Clients").getByText("Nobody has called yet.").waitFor();
    await traffic(gateway);
    await row(page, "Clients", /^API key crawler 20 26 \+12 on trial 20\/20 tools\.search · .* search/).waitFor();
    await row(page, "Clients", /^address 127\.0\.0\.1 3 0/).waitFor();
    const first = () => panel(page, "Clients").locator("tbody tr").first();
    await first().getByText("crawler").waitFor();
    await gateway.calls(1, "write_note", "bob");
    await page.getByLabel("Order of clients").selectOption("Latest");
    await first().getByText("bob").waitFor();
    expect(wrongs).toEqual([]);
  });

  it("show tools, limits with how full they get, and the servers behind", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    await row(page, "Policies", /^exports 2 per calendar day \(UTC\)/)
      .getByText("no calls")
      .waitFor();
    await traffic(gateway);
    await row(page, "Tools", /^search 38 26 40\.6 % 0/).waitFor();
    await row(page, "Tools", /^import_rows 6 0 3/).waitFor();
    await row(page, "Policies", /^tools\.search 20 per minute .*64 26 40\.6 %/).waitFor();
    await row(page, "Policies", /^perClient 300 per minute/)
      .getByText("never hit")
      .waitFor();
    await row(page, "Policies", /^search-on-trial on trial 8 per minute/).waitFor();
    const full = row(page, "Policies", /^tools\.search/).getByRole("img");
    expect(await full.getAttribute("aria-label")).toMatch(/above 90 %: \d/);
    await gateway.calls(400, "search", "crawler");
    await row(page, "Policies", /^tools\.search/)
      .getByText("always hit")
      .waitFor();
    const server = panel(page, "Servers behind").getByRole("listitem");
    await server.getByText(gateway.server.url.host).waitFor();
    await server.getByText(/^Answered61$/).waitFor();
    expect(wrongs).toEqual([]);
  });

  it("show that a policy has adapted itself to the server", async () => {
    const adapting = "policies: [{ name: careful, quota: 100/s, adapt: { slow: 1ms, every: 100ms } }]";
    const { page, gateway } = await open(adapting);
    gateway.server.answer = (_request, response) => void response.writeHead(500).end();
    const tag = row(page, "Policies", /^careful/).getByText(/adapted to/);
    const failing = (async () => {
      while (!(await tag.isVisible())) await gateway.calls(6, "t");
    })();
    await Promise.all([tag.waitFor(), failing]);
  });
});

describe("actions on a client", () => {
  it("give other limits for a while, and take them back", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    await gateway.calls(22, "search", "crawler");
    await page.getByRole("button", { name: "Override for crawler" }).click();
    expect(await dialog(page).getByLabel("Limit").inputValue()).toBe("tools.search");
    await dialog(page)
      .getByLabel(/^Rate instead of 20 per minute/)
      .fill("50/mn");
    await dialog(page).getByRole("button", { name: "Set override" }).click();
    await dialog(page).getByRole("alert").getByText('unknown period "mn"').waitFor();
    await picture(page, "override");
    await dialog(page)
      .getByLabel(/^Rate instead of/)
      .fill("50/min");
    await dialog(page).getByLabel("For how long").selectOption("8h");
    await dialog(page).getByLabel("Note").fill("the quarterly crawl");
    await dialog(page).getByRole("button", { name: "Set override" }).click();
    await dialog(page).waitFor({ state: "detached" });
    await page.getByRole("status").getByText("crawler has 50/min of tools.search for 8h.").waitFor();
    const list = panel(page, "Overrides");
    await list.getByText(/tools\.search, for 7 h 59 min: the quarterly crawl/).waitFor();
    expect(await gateway.calls(5, "search", "crawler")).toEqual([]);
    await list.getByRole("button", { name: "Take back tools.search for crawler" }).click();
    await list.getByText("Nobody has other limits").waitFor();
    expect(await gateway.calls(1, "search", "crawler")).toHaveLength(1);
    expect(wrongs).toEqual([]);
  });

  it("block it, and the model is told so", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    await gateway.calls(1, "read_page", "crawler");
    await page.getByRole("button", { name: "Block crawler" }).click();
    await dialog(page).getByText("the model is told so").waitFor();
    await dialog(page).getByRole("button", { name: "Cancel" }).click();
    await dialog(page).waitFor({ state: "detached" });
    expect(await gateway.calls(1, "read_page", "crawler")).toEqual([]);
    await page.getByRole("button", { name: "Block crawler" }).click();
    await dialog(page).getByLabel("For how long").selectOption("10min");
    await dialog(page).getByRole("button", { name: "Block", exact: true }).click();
    await page.getByRole("status").getByText("crawler is blocked for 10min.").waitFor();
    const [told] = await gateway.calls(1, "read_page", "crawler");
    expect(told).toContain("lets no such calls of this client pass for now");
    expect(await gateway.calls(1, "read_page", "ann")).toEqual([]);
    await panel(page, "Overrides").getByText("blocked", { exact: true }).first().waitFor();
    await panel(page, "Decisions").getByText("blocked", { exact: true }).waitFor();
    expect(wrongs).toEqual([]);
  });

  it("forget what it used, and say before what that is", async () => {
    const { page, gateway, wrongs } = await open(`${POLICIES}global: 1000/min\n`);
    await gateway.calls(22, "search", "crawler");
    expect(await gateway.calls(1, "search", "crawler")).toHaveLength(1);
    await page.getByRole("button", { name: "Reset crawler" }).click();
    await dialog(page)
      .getByText(/20 per minute: 20 used/)
      .waitFor();
    await dialog(page).getByText("global is shared by all clients, and is reset for all.").waitFor();
    await dialog(page).getByRole("button", { name: "Reset", exact: true }).click();
    await page.getByRole("status").getByText("as good as new").waitFor();
    expect(await gateway.calls(20, "search", "crawler")).toEqual([]);
    expect(wrongs).toEqual([]);
  });

  it("are reached by keyboard alone, and Escape leaves", async () => {
    const { page, gateway } = await open(POLICIES);
    await gateway.calls(1, "read_page", "crawler");
    const button = page.getByRole("button", { name: "Override for crawler" });
    await button.waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    // From the top of the page.
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    for (let i = 0; i < 40 && (await focused()) !== "Override for crawler"; i++) await page.keyboard.press("Tab");
    expect(await focused()).toBe("Override for crawler");
    await page.keyboard.press("Enter");
    await dialog(page).waitFor();
    expect(await dialog(page).evaluate((one) => one.contains(document.activeElement))).toBe(true);
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
    expect(await focused()).toBe("Override for crawler");
  });
});
