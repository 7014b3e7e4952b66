// Three APIs in one server on loopback. Each has a limit, and who violates it is banned: from then on every answer is a 403.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeApis {
  readonly origin: string;
  readonly asked: Readonly<Record<string, number>>;
  /** What was done against the limits, in words. */
  readonly violations: readonly string[];
  close(): void;
}

export async function startFakeApis(): Promise<FakeApis> {
  const asked: Record<string, number> = { prices: 0, weather: 0, news: 0 };
  const violations: string[] = [];
  /** When prices were asked for last, in milliseconds. */
  const recent: number[] = [];
  let atOnce = 0;

  const server = createServer(({ url = "" }, response) => {
    const api = url.split("/")[1]!;
    asked[api] = (asked[api] ?? 0) + 1;
    if (api === "prices") prices();
    if (api === "news" && asked.news! > 60) violations.push(`${asked.news} calls for news`);
    if (violations.length > 0) response.writeHead(403).end("You are banned.");
    else if (api === "weather") weather(response);
    else response.end(`The answer to ${url}`);
  });

  /** At most 10 in any second, as they arrive here. */
  function prices(): void {
    const now = performance.now();
    recent.push(now);
    if (recent.length > 11) recent.shift();
    if (recent.length === 11 && now - recent[0]! < 1_000)
      violations.push(`11 calls for prices in ${now - recent[0]!} ms`);
  }

  /** At most 3 at once, and each takes a while. */
  function weather(response: ServerResponse): void {
    atOnce++;
    if (atOnce > 3) violations.push(`${atOnce} calls for weather at once`);
    setTimeout(() => {
      atOnce--;
      response.end("Sunny");
    }, 100);
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    violations,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
