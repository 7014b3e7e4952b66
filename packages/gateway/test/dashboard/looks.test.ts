import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { DESKTOP, PHONE, picture } from "./browser.ts";
import { livePages, panel } from "./pages.ts";
import { POLICIES, traffic } from "./scene.ts";

const open = livePages();

const SIZES = [
  ["phone", PHONE],
  ["tablet", { width: 820, height: 1180 }],
  ["desktop", DESKTOP],
] as const;

/** What sticks out of the window, other than what scrolls by itself. */
const tooWide = (page: Page) =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("body *")]
      .filter((one) => one.closest(".scroll, .unseen") === null && one.getBoundingClientRect().right > width)
      .map((one) => `${one.tagName} ${one.className}`);
  });

/** The lowest contrast of text (WCAG 2.2, 1.4.3) against the ground behind it. */
const lowestContrast = (page: Page) =>
  page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
    const rgb = (color: string) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data] as [number, number, number, number];
    };
    const light = (color: readonly number[]) => {
      const [r, g, b] = color.slice(0, 3).map((one) => {
        const part = one / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const groundOf = (element: Element | null): number[] => {
      if (element === null) return rgb("white");
      const color = rgb(getComputedStyle(element).backgroundColor);
      return color[3] === 255 ? color : groundOf(element.parentElement);
    };
    let lowest = { contrast: 21, text: "" };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement!;
      const text = node.textContent!.trim();
      if (text === "" || !element.checkVisibility() || element.closest(".unseen, noscript, option, :disabled"))
        continue;
      const [a, b] = [light(rgb(getComputedStyle(element).color)), light(groundOf(element))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < lowest.contrast) lowest = { contrast, text };
    }
    return lowest;
  });

describe.each(["light", "dark"] as const)("in %s colours", (colorScheme) => {
  it.each(SIZES)("the page fits a %s, and can be read", async (name, size) => {
    const { page, gateway, wrongs } = await open(POLICIES, { size, colorScheme });
    await traffic(gateway);
    await page.getByText("87 / min").waitFor();
    await panel(page, "Tools").getByText("write_note").waitFor();
    await panel(page, "Decisions").getByRole("button", { name: "Why?" }).first().click();
    expect(await tooWide(page)).toEqual([]);
    const lowest = await lowestContrast(page);
    expect(lowest.contrast, lowest.text).toBeGreaterThanOrEqual(4.5);
    await picture(page, `${name}-${colorScheme}`);
    await page.getByRole("button", { name: /^Try another limit of tools\.search/ }).click();
    await page.getByText("20 would refuse 1 of 3").waitFor();
    expect(await tooWide(page)).toEqual([]);
    await picture(page, `${name}-${colorScheme}-threshold`);
    expect(wrongs).toEqual([]);
  });
});

describe("for readers of screens", () => {
  it("everything that one can do has a name, tables have heads, and what is going on is not read out all the time", async () => {
    const { page, gateway } = await open(POLICIES);
    await traffic(gateway);
    await panel(page, "Tools").getByText("write_note").waitFor();
    await panel(page, "Decisions").getByRole("button", { name: "Why?" }).first().waitFor();
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("button, input, select, section, [role=img], [role=slider]")]
        .filter((one) => {
          const labelled = one.getAttribute("aria-labelledby");
          const named =
            one.getAttribute("aria-label") ??
            (labelled && document.getElementById(labelled)?.textContent) ??
            (one as HTMLInputElement).labels?.[0]?.textContent ??
            one.textContent;
          return !named?.trim();
        })
        .map((one) => one.outerHTML),
    );
    expect(nameless).toEqual([]);
    const heads = await page.evaluate(() =>
      [...document.querySelectorAll("table")].map((table) => table.querySelectorAll("thead th[scope=col]").length),
    );
    expect(heads.length).toBe(5);
    expect(Math.min(...heads)).toBeGreaterThan(0);
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("Sluice");
    expect(await page.getByRole("main").count()).toBe(1);
    // One for what is wrong, one for what was done.
    const spoken = await page.evaluate(() =>
      [...document.querySelectorAll("[aria-live], [role=status], [role=alert], [role=log]")].map((one) =>
        one.getAttribute("role"),
      ),
    );
    expect(spoken).toEqual(["alert", "status"]);
  });
});
