import type { Page } from "playwright-core";
import { TOKEN, type Watchable } from "./gateway.ts";

/** Opens the live page of a gateway and signs in. */
export async function signIn(page: Page, gateway: Watchable): Promise<void> {
  await page.goto(gateway.page);
  await page.getByLabel("Admin token").fill(TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Live", { exact: true }).waitFor();
}
