import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { picture } from "./browser.ts";
import { startWatchable, TOKEN } from "./gateway.ts";
import { startLine } from "./line.ts";
import { livePages, panel, signIn } from "./pages.ts";
import { POLICIES, traffic } from "./scene.ts";

const open = livePages();

const rowsOf = (page: Page, count: number) =>
  page.waitForFunction((n) => document.querySelectorAll(".log tbody tr").length === n, count);

describe("signing in", () => {
  it("takes the token, keeps it over a reload, and never puts it into an address", async () => {
    const { page, wrongs } = await open(POLICIES);
    await page.reload();
    await page.getByText("Live", { exact: true }).waitFor();
    expect(new URL(page.url()).search + new URL(page.url()).hash).toBe("");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Admin token").waitFor();
    await page.reload();
    await page.getByLabel("Admin token").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("This needs the admin token.").waitFor();
    expect(await page.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie])).toEqual([
      0,
      0,
      "",
    ]);
    await page.getByLabel("Admin token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.getByText("Live", { exact: true }).waitFor();
    expect(wrongs).toEqual([]);
  });
});

describe("the page", () => {
  it("shows where the gateway stands, and the numbers of the last minute", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    await page.getByText("enforce", { exact: true }).waitFor();
    await page.getByText("memory", { exact: true }).waitFor();
    await page.getByText("v1", { exact: true }).waitFor();
    await gateway.calls(25, "search", "ann");
    await page.getByText("25 / min").waitFor();
    await page.getByText("5 / min", { exact: true }).waitFor();
    const tile = (name: string) =>
      page.locator(".tile").filter({ has: page.getByRole("heading", { name, exact: true }) });
    expect(await tile("Refused").innerText()).toContain("20 %");
    expect(await tile("Would be refused").innerText()).toMatch(/\n12\s/);
    expect(await tile("Time to decide").innerText()).toMatch(/[\d.]+ ms/);
    await tile("Near a limit").getByText("1", { exact: true }).waitFor();
    expect(await tile("Near a limit").innerText()).toContain("of 1 clients");
    expect(wrongs).toEqual([]);
  });

  it("says what is wrong: a bad policy file, a server that is not there", async () => {
    const { page, gateway } = await open(POLICIES);
    gateway.write("tools: { search: 10/mn }");
    await page.getByRole("alert").getByText("The policy file is bad, and the last good one stays").waitFor();
    gateway.write("mode: shadow\ntools: { search: 10/min }\n");
    await page.getByText("shadow", { exact: true }).waitFor();
    await page.getByText("v2, read").waitFor();
    await gateway.server.close();
    await page.getByRole("alert").getByText("cannot be reached").waitFor();
    await panel(page, "Servers behind").getByText("cannot be reached").waitFor();
    await picture(page, "problems");
  });

  it("shows calls over time, in colours and in a table, and a part of it alone when one drags over it", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    const time = panel(page, "Calls over time");
    await traffic(gateway);
    const legend = (name: string, number: number | string) =>
      time
        .locator(".legend div")
        .filter({ hasText: new RegExp(`^${name}${number}$`) })
        .waitFor();
    await legend("Refused", 26);
    await legend("Waited, then allowed", 3);
    await time.getByText("As a table").click();
    const rows = await time.getByRole("row").allInnerTexts();
    const refused = rows.slice(1).map((row) => Number(row.split("\t").at(-1)));
    expect(refused.reduce((a, b) => a + b)).toBe(26);
    // What was called is at the right end: the left half of it has nothing.
    const box = (await time.locator(".u-over").boundingBox())!;
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + 10, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, y, { steps: 4 });
    await page.mouse.up();
    await page.mouse.move(5, 5);
    await time.getByText("alone").waitFor();
    await legend("Refused", 0);
    await picture(page, "zoomed");
    await time.getByRole("button", { name: "Back to now" }).click();
    await time.getByRole("button", { name: "1 min", exact: true }).click();
    await legend("Refused", 26);
    expect(wrongs).toEqual([]);
  });

  it("catches up after the connection was lost", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    const line = await startLine(gateway.admin);
    try {
      await page.goto(line.url);
      await signIn(page);
      await gateway.calls(2, "search", "ann");
      // Of each call also what the limit on trial says.
      await rowsOf(page, 4);
      line.cut();
      await page.getByText(/Connection lost, again in/).waitFor();
      await page.getByRole("alert").getByText("What you see is from before").waitFor();
      await picture(page, "lost");
      await gateway.calls(3, "read_page", "bob");
      line.mend();
      await page.getByText("Live", { exact: true }).waitFor();
      await panel(page, "Decisions").getByText("read_page").first().waitFor();
      await rowsOf(page, 7);
      await page.getByText("5 / min").first().waitFor();
    } finally {
      line.close();
    }
    expect(wrongs).toEqual([]);
  });

  it("begins anew with a gateway that was started anew", async () => {
    const { page, gateway, wrongs } = await open(POLICIES);
    await gateway.calls(2, "search", "ann");
    await rowsOf(page, 4);
    const { port } = gateway.admin;
    await gateway.stop();
    await page.getByText(/Connection lost, again in/).waitFor();
    const next = await startWatchable(POLICIES, { port: Number(port) });
    try {
      await next.calls(1, "write_note", "bob");
      await page.getByText("Live", { exact: true }).waitFor();
      await panel(page, "Decisions").getByText("write_note").waitFor();
      await rowsOf(page, 1);
    } finally {
      await next.stop();
    }
    expect(wrongs).toEqual([]);
  });

  it("asks who is there when the token is no longer good", async () => {
    const { page, gateway } = await open(POLICIES);
    const { port } = gateway.admin;
    await gateway.stop();
    const next = await startWatchable(POLICIES, { port: Number(port), token: "another-one" });
    try {
      await page.getByRole("alert").getByText("This needs the admin token.").waitFor();
      await page.getByLabel("Admin token").fill("another-one");
      await page.keyboard.press("Enter");
      await page.getByText("Live", { exact: true }).waitFor();
    } finally {
      await next.stop();
    }
  });
});
