import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium as playwright } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM_FLAGS, chromium } from "../../../../scripts/chromium.ts";
import { readConfig } from "../../src/config/read-config.ts";
import { reportHtml } from "../../src/simulate/html/report-html.ts";
import { type LogStats, readLog } from "../../src/simulate/readers/read-log.ts";
import { replay } from "../../src/simulate/replay.ts";
import { type Report, reportOf } from "../../src/simulate/report.ts";

const EVIL = `"><img src=x onerror="window.evil=1"><script>window.evil=1</script>`;
const AT = Date.UTC(2026, 10, 23, 8);

async function reportFor(count: number): Promise<Report> {
  const lines = Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      time: AT + i * 700,
      client: i % 5 === 0 ? EVIL : `client ${i % 3}`,
      tier: i % 2 === 0 ? "free" : EVIL,
      tool: i % 4 === 0 ? EVIL : "search",
      ...(i % 9 === 0 && { allowed: false }),
    }),
  );
  const open = async function* () {
    yield Buffer.from([...lines, `{"broken": "${"<b>"}`].join("\n"));
  };
  const log = readLog(["<calls>.jsonl"], { open, format: "sluice" });
  const replayed = await replay(log.batches, { candidate: readConfig("perClient: 9/min", "x", {}) });
  const stats: LogStats = log.stats;
  const suggestion = { limit: EVIL, now: "9/min", smallest: "20/min", calls: 5, refused: 0, oneLess: 1 };
  const options = {
    replayed,
    stats,
    logs: ["<calls>.jsonl"],
    policy: "new.yaml",
    behaviour: "open",
    top: 10,
    needed: [],
  } as const;
  return reportOf({ ...options, suggestions: [suggestion] });
}

function written(report: Report): string {
  const file = join(mkdtempSync(join(tmpdir(), "sluice-report-")), "report.html");
  writeFileSync(file, reportHtml(report));
  return pathToFileURL(file).href;
}

let browser: Browser;
beforeAll(async () => {
  browser = await playwright.launch({ executablePath: chromium(), args: CHROMIUM_FLAGS, headless: true });
}, 300_000);
afterAll(() => browser.close());

async function opened(url: string, { colorScheme = "light" as "light" | "dark", width = 1_200 } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, javaScriptEnabled: true });
  const page = await context.newPage();
  const wrongs: string[] = [];
  page.on("request", (request) => request.url() !== url && wrongs.push(request.url()));
  page.on("console", (message) => wrongs.push(message.text()));
  page.on("pageerror", (error) => wrongs.push(error.message));
  await page.goto(url);
  return { page, wrongs, close: () => context.close() };
}

describe("the report in a browser", () => {
  it("opens from disk, asks for nothing, and shows names as they are", async () => {
    const report = await reportFor(400);
    const { page, wrongs, close } = await opened(written(report));
    expect(wrongs).toEqual([]);
    expect(await page.evaluate("window.evil")).toBeUndefined();
    expect(await page.locator("script, img").count()).toBe(0);
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("new.yaml, compared with the log");
    expect(await page.locator("code", { hasText: EVIL }).count()).toBeGreaterThan(0);
    const figures = await page.locator(".tiles b").allTextContents();
    expect(figures.slice(0, 2)).toEqual([String(report.figures.calls), String(report.figures.refused)]);
    await close();
  });

  it("draws as many calls as there were", async () => {
    const report = await reportFor(400);
    const { page, close } = await opened(written(report));
    expect(await page.getByRole("img", { name: "Calls over time" }).count()).toBe(1);
    const titles = await page.locator("svg g title").allTextContents();
    const sums = titles.map((title) =>
      title
        .match(/: (\d+) calls, (\d+) refused, (\d+) before/)!
        .slice(1)
        .map(Number),
    );
    expect([0, 1, 2].map((i) => sums.reduce((sum, one) => sum + one[i]!, 0))).toEqual([
      report.figures.calls,
      report.figures.refused,
      report.figures.was_refused,
    ]);
    const heights = await page
      .locator("svg g")
      .evaluateAll((groups) =>
        groups.map((group) =>
          [...group.querySelectorAll("rect")].reduce((sum, rect) => sum + Number(rect.getAttribute("height")), 0),
        ),
      );
    // The same scale for all.
    const scales = heights.map((height, i) => height / sums[i]![0]!);
    for (const scale of scales) expect(scale).toBeCloseTo(scales[0]!, 1);
    await close();
  });

  it("is dark where that is wanted, and fits a phone", async () => {
    const url = written(await reportFor(100));
    const colours = [];
    for (const colorScheme of ["light", "dark"] as const) {
      const { page, close } = await opened(url, { colorScheme, width: 390 });
      colours.push(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
      await close();
    }
    expect(colours).toEqual(["rgb(255, 255, 255)", "rgb(13, 17, 23)"]);
  });

  it("has nothing to show of a log without calls", async () => {
    const { page, wrongs, close } = await opened(written(await reportFor(0)));
    expect(await page.getByText("no calls", { exact: false }).count()).toBeGreaterThan(0);
    expect(wrongs).toEqual([]);
    await close();
  });
});
