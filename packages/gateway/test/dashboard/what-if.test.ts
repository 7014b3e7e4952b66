import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { PHONE, picture } from "./browser.ts";
import { livePages, panel } from "./pages.ts";
import { POLICIES } from "./scene.ts";

const open = livePages();

async function ask(page: Page) {
  await panel(page, "Policies").getByRole("button", { name: "What if …" }).click();
  const dialog = page.getByRole("dialog");
  return {
    dialog,
    row: (name: RegExp) => dialog.getByRole("row", { name }),
    again: () => dialog.getByText("Ask").click(),
  };
}

describe("a call that nobody makes", () => {
  it("falls under limits, each of which says what it would do, and takes nothing", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    await gateway.calls(20, "search", "crawler");
    await panel(page, "Clients").getByText("crawler").waitFor();
    const { dialog, row, again } = await ask(page);
    await again();
    await dialog.getByText("would be refused").waitFor();
    await row(/^tools\.search 20 per minute 1 0 no, again in .*:crawler:/).waitFor();
    await row(/^search-on-trial on trial 8 per minute 1 0 no, again in/).waitFor();
    await row(/^perClient 300 per minute 1 280 yes/).waitFor();
    const words = dialog.getByRole("figure", { name: "What the model would see" });
    const [told] = await gateway.calls(1, "search", "crawler");
    const withoutSeconds = (text: string | null | undefined) => text?.replace(/\d+ seconds/, "");
    expect(withoutSeconds(await words.getByRole("blockquote").textContent())).toBe(withoutSeconds(told));
    await picture(page, "what-if");
    await dialog.getByRole("combobox", { name: "Tool", exact: true }).fill("write_note");
    await dialog.getByText("would be refused").waitFor({ state: "detached" });
    for (let i = 0; i < 2; i++) {
      await again();
      await row(/^writes 30 per minute 1 29 yes/).waitFor();
    }
    await dialog.getByText("would pass").waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await dialog.waitFor({ state: "detached" });
    expect(wrongs).toEqual([]);
  });

  it("has its answer in the dialog on a phone: what is too wide scrolls", async () => {
    const { page, gateway } = await open(POLICIES, { size: PHONE });
    await gateway.calls(21, "search", "crawler");
    await panel(page, "Clients").getByText("crawler").waitFor();
    const { dialog, again } = await ask(page);
    await again();
    await dialog.getByText("would be refused").waitFor();
    expect(await dialog.evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0);
    expect(await dialog.getByRole("region").evaluate((one) => one.scrollWidth > one.clientWidth)).toBe(true);
    await picture(page, "what-if-phone");
  });

  it("may come from an address, have arguments, and be no call of a tool", async () => {
    const { page } = await open(
      "policies: [{ name: exports, quota: 9/h, key: address, match: { tool: export }, cost: { argument: rows, per: 3 } }]",
    );
    const { dialog, row, again } = await ask(page);
    await dialog.getByLabel("Client").selectOption("");
    await dialog.getByRole("textbox", { name: "Address" }).fill("203.0.113.7");
    await dialog.getByRole("combobox", { name: "Tool", exact: true }).fill("export");
    await dialog.getByLabel("Arguments").fill("[7]");
    await again();
    await dialog.getByRole("alert").getByText("Arguments are an object").waitFor();
    await dialog.getByLabel("Arguments").fill('{"rows": 7}');
    await again();
    await row(/^exports 9 per hour 3 6 yes .*203\.0\.113\.7/).waitFor();
    expect(await dialog.getByRole("alert").count()).toBe(0);
    await dialog.getByLabel("Method").selectOption("resources/read");
    await dialog.getByLabel("URI").fill("file:///a");
    await again();
    await dialog.getByText("It falls under no limit").waitFor();
  });
});
