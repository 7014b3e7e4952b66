import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, vi } from "vitest";
import { openPage, startBrowser, type Watched } from "./browser.ts";
import { startWatchable, TOKEN, type Watchable } from "./gateway.ts";

/** A gateway, and a page that looks at it. */
export interface Scene extends Watched {
  readonly gateway: Watchable;
}

// On a machine that runs all tests at once a browser takes its time.
vi.setConfig({ testTimeout: 120_000 });

type Options = Parameters<typeof openPage>[1];

/** A browser for the tests of a file. Returns what opens a page of it, with nothing in it. */
export function browserPages(): (options?: Options) => Promise<Watched> {
  let browser: Browser;
  const cleanup: (() => unknown)[] = [];
  // The first time on a machine it is installed.
  beforeAll(async () => {
    browser = await startBrowser();
  }, 600_000);
  afterEach(async () => {
    for (const close of cleanup.splice(0).reverse()) await close();
  });
  afterAll(() => browser?.close());
  return async (options) => {
    const watched = await openPage(browser, options);
    cleanup.push(() => watched.close());
    return watched;
  };
}

/** Returns what opens the live page of a new gateway, signed in. */
export function livePages(): (policies: string, options?: Options) => Promise<Scene> {
  const open = browserPages();
  const gateways: Watchable[] = [];
  afterEach(async () => {
    for (const gateway of gateways.splice(0)) await gateway.stop();
  });
  return async (policies, options) => {
    const gateway = await startWatchable(policies);
    gateways.push(gateway);
    const watched = await open(options);
    await watched.page.goto(gateway.page);
    await signIn(watched.page);
    return { ...watched, gateway };
  };
}

export async function signIn(page: Page): Promise<void> {
  await page.getByLabel("Admin token").fill(TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Live", { exact: true }).waitFor();
}

/** A panel by its heading. */
export const panel = (page: Page, name: string) =>
  page.locator("section.panel").filter({ has: page.getByRole("heading", { name, exact: true, level: 2 }) });
