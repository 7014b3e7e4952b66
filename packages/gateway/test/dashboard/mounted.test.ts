import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { memoryStore } from "sluice";
import { createMcpGate, createOverrides, type McpGate, type McpRateLimitOptions } from "sluice/mcp";
import { createUpstreams } from "sluice/outbound";
import { afterEach, describe, expect, it } from "vitest";
import { livePage } from "../../src/live-page.ts";
import { picture } from "./browser.ts";
import { browserPages, panel, signIn } from "./pages.ts";

const open = browserPages();
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

const TOKEN = "a-token-of-operators";

/** A server with a gate and the live page under a path. */
async function serve(given: McpRateLimitOptions, options: Partial<Parameters<typeof livePage>[0]> = {}) {
  const store = memoryStore();
  const overrides = createOverrides({ store });
  const limits = { ...given, store, overrides };
  const page = livePage({ limits, token: TOKEN, path: "/dashboard", ...options });
  const gate = createMcpGate({ ...limits, onDecision: page.saw });
  const server = createServer((request, response) => {
    if (page.isFor(request.url)) page.listener(request, response);
    else response.writeHead(404).end("not the page");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanup.push(() => {
    overrides.close();
    server.closeAllConnections();
    server.close();
  });
  return { gate, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dashboard` };
}

function call(gate: McpGate, name: string, client: string): void {
  void gate.admit([{ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } }], { connection: client });
}

describe("the live page in a server of one's own", () => {
  it("works under a path, with upstreams and actions", async () => {
    const upstreams = createUpstreams({ coingecko: "10/min" }, { store: memoryStore() });
    cleanup.push(() => upstreams.close());
    await upstreams.coingecko.run(() => 1);
    const { gate, url } = await serve({ tools: { search: "2/min" } }, { upstreams: [upstreams.coingecko] });
    const { page, wrongs } = await open();
    await page.goto(url);
    expect(page.url()).toBe(`${url}/`);
    await signIn(page);
    for (let i = 0; i < 3; i++) call(gate, "search", "ann");
    await panel(page, "Decisions").getByText("refused", { exact: true }).waitFor();
    const server = panel(page, "Servers behind").getByRole("listitem");
    await server.getByText("coingecko").waitFor();
    await server.getByText("closed").waitFor();
    await page.getByRole("button", { name: "Override for ann" }).click();
    await page.getByLabel(/^Rate instead of/).fill("50/min");
    await page.getByRole("button", { name: "Set override" }).click();
    await page.getByRole("status").getByText("ann has 50/min").waitFor();
    call(gate, "search", "ann");
    await panel(page, "Decisions").getByText("tools.search 49/50 left").waitFor();
    expect(wrongs).toEqual([]);
  });

  it("wants a token that cannot be guessed, and a path", () => {
    const limits = { perClient: "1/s" };
    expect(() => livePage({ limits, token: "short" })).toThrow(/at least 16 characters/);
    expect(() => livePage({ limits, token: TOKEN, path: "dashboard" })).toThrow(/such as "\/dashboard"/);
  });

  it("stays at hand while ten thousand decisions are made each second", async () => {
    const { gate, url } = await serve({ perClient: "100000/min", tools: { search: "20/min" } });
    const { page, wrongs } = await open();
    await page.goto(url);
    await signIn(page);
    let made = 0;
    const since = performance.now();
    const timer = setInterval(() => {
      const due = Math.floor((performance.now() - since) * 10);
      for (; made < due; made++) call(gate, made % 4 === 0 ? "search" : `tool-${made % 20}`, `client-${made % 997}`);
    }, 5);
    cleanup.push(() => clearInterval(timer));
    // Most are counted and not sent: what is sent can be read.
    await page.getByText(/^[\d,]+ more per second than are shown$/).waitFor();
    await page.waitForFunction(
      () => Number(/([\d,]+) more/.exec(document.body.innerText)?.[1]?.replace(",", "")) > 8_000,
    );
    await panel(page, "Clients").getByText("25 of 997").waitFor();
    const log = panel(page, "Decisions");
    await log.getByRole("button", { name: "Pause" }).click();
    await log.getByRole("button", { name: /^Resume, \d+ new/ }).waitFor();
    await log.getByRole("button", { name: "Why?" }).first().click();
    await log.getByText("Key, and how it is made").waitFor();
    await log.getByLabel("Client or tool").fill("search");
    await page.waitForFunction(() =>
      [...document.querySelectorAll(".log > table > tbody > tr:not(.why)")].every(({ textContent }) =>
        textContent.includes("search"),
      ),
    );
    await picture(page, "flood");
    expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(4_000);
    expect(wrongs).toEqual([]);
  });
});
