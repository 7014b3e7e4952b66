import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { QuotaLike, Store } from "sluice";
import { rateLimit } from "sluice/node";
import type { LivePage } from "sluice-gateway/live-page";
import type { DecisionLog } from "./decision-log.ts";
import type { Statistics } from "./statistics.ts";

export interface HttpRoutesOptions {
  /** For `/` and `/stats` together, per address. */
  readonly quota: QuotaLike;
  readonly store: Store;
  readonly statistics: Statistics;
  readonly onDecision: DecisionLog;
  /** Serves `/mcp`, which has limits of its own. */
  readonly mcp: RequestListener;
  /** Shows at `/dashboard` what becomes of calls of tools. */
  readonly dashboard: LivePage;
}

/** The routes of the server. `/health` is never limited: whoever watches the server must not be locked out. */
export function httpRoutes({
  quota,
  store,
  statistics,
  onDecision,
  mcp,
  dashboard,
}: HttpRoutesOptions): RequestListener {
  const pages = rateLimit(
    (request: IncomingMessage, response: ServerResponse) => {
      if (pathOf(request) === "/stats") json(response, 200, statistics.report());
      else json(response, 200, { status: "ok", routes: ["/", "/stats", "/health", "/mcp", "/dashboard"] });
    },
    {
      quota,
      store,
      onDecision: ({ request, key, decisions }) => onDecision(`${request.method} ${pathOf(request)}`, key, decisions),
    },
  );
  return (request, response) => {
    if (dashboard.isFor(request.url)) return dashboard.listener(request, response);
    switch (pathOf(request)) {
      case "/":
      case "/stats":
        return pages(request, response);
      case "/mcp":
        return mcp(request, response);
      case "/health":
        return json(response, 200, { status: "healthy" });
      default:
        return json(response, 404, { error: "There is no such route. Try /, /stats, /health, /mcp or /dashboard." });
    }
  };
}

function pathOf({ url = "/" }: IncomingMessage): string {
  return url.split("?", 1)[0]!;
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}
