import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type Page, chromium as playwright } from "playwright-core";
import { CHROMIUM_FLAGS, chromium } from "../../../../scripts/chromium.ts";

/** Where tests leave what the page looked like. */
const PICTURES = join(import.meta.dirname, "screenshots");

export const DESKTOP = { width: 1440, height: 900 };
/** What is waited for says by its name what did not come. */
const PATIENCE_MS = 40_000;

export const PHONE = { width: 390, height: 844 };

/** A browser of its own, with nothing in it. Its first start may install it. */
export const startBrowser = (): Promise<Browser> =>
  playwright.launch({ executablePath: chromium(), args: CHROMIUM_FLAGS, headless: true });

/** What the page did that it should not have: errors, things that its policy forbids, requests to elsewhere. */
export interface Watched {
  readonly page: Page;
  readonly wrongs: string[];
  close(): Promise<void>;
}

interface PageOptions {
  readonly size?: { readonly width: number; readonly height: number };
  readonly colorScheme?: "light" | "dark";
}

export async function openPage(
  browser: Browser,
  { size = DESKTOP, colorScheme = "light" }: PageOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({
    viewport: size,
    colorScheme,
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const wrongs: string[] = [];
  page.on("pageerror", (error) => wrongs.push(error.message));
  page.on("console", (message) => {
    // A connection that is lost is said by the browser, too.
    if (message.type() === "error" && !/Failed to load resource|net::ERR/.test(message.text()))
      wrongs.push(message.text());
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.hostname !== "127.0.0.1" && url.hostname !== "localhost") wrongs.push(`asked ${url.href}`);
    if (/token/i.test(url.href)) wrongs.push(`a secret in ${url.href}`);
  });
  return { page, wrongs, close: () => context.close() };
}

export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}
