import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import type { Logger } from "pino";
import { formatDuration } from "sluice";
import { createOverrides, type McpRateLimitOptions, rateLimit } from "sluice/mcp";
import { livePage } from "sluice-gateway/live-page";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { type DecisionLog, decisionLog } from "./decision-log.ts";
import { httpRoutes } from "./http.ts";
import { createLog } from "./log.ts";
import { mcpRoute, nameOf } from "./mcp.ts";
import { createStatistics, type Statistics } from "./statistics.ts";
import { type OpenStore, openStore } from "./store.ts";
import { createToolServer, toolLimits } from "./tools.ts";

const SUMMARY_EVERY_MS = 60_000;

async function main(): Promise<void> {
  const isStdio = process.argv.includes("--stdio");
  const config = readConfig(process.env);
  const log = createLog(config.logLevel, isStdio);
  const statistics = createStatistics();
  const onDecision = decisionLog(log, statistics);
  const open = await openStore(config.store, log);
  const limits: McpRateLimitOptions = {
    ...toolLimits(config.mcpDefault),
    store: open.store,
    onDecision: (event) =>
      onDecision(
        nameOf(event),
        event.client,
        event.decisions.map(({ decision }) => decision),
      ),
  };
  summarise(log, statistics);
  if (isStdio) serveOverStdio(limits, open, log);
  else serveOverHttp(config, limits, onDecision, statistics, open, log);
}

function serveOverStdio(limits: McpRateLimitOptions, open: OpenStore, log: Logger): void {
  process.stdin.once("close", () => void open.close());
  serveStdio(() => rateLimit(createToolServer(), limits), { onerror: (error) => log.error(error) });
  log.info("Serving the tools over stdio: get_time (3 per 10 s), echo, slow_report (2 at once).");
}

function serveOverHttp(
  config: Config,
  limits: McpRateLimitOptions,
  onDecision: DecisionLog,
  statistics: Statistics,
  { store, close }: OpenStore,
  log: Logger,
): void {
  const { host, port, http, mcpDefault } = config;
  const overrides = createOverrides({ store });
  const watched = { ...limits, overrides };
  const dashboard = livePage({
    limits: watched,
    token: config.dashboardToken,
    path: "/dashboard",
    store: config.store.kind,
    log,
  });
  const tell: McpRateLimitOptions["onDecision"] = (event) => {
    limits.onDecision?.(event);
    dashboard.saw(event);
  };
  const mcp = mcpRoute({ ...watched, onDecision: tell }, (error) => log.error(error));
  const quota = `${http.limit}/${http.windowSeconds}s`;
  const server = createServer(httpRoutes({ quota, store, statistics, onDecision, mcp, dashboard }));
  server.on("error", (error: NodeJS.ErrnoException) => {
    const why = error.code === "EADDRINUSE" ? `Port ${port} is taken: set PORT to another one.` : error.message;
    log.fatal(`The server cannot start. ${why}`);
    process.exitCode = 1;
  });
  server.listen(port, host, () => {
    const base = `http://localhost:${(server.address() as AddressInfo).port}`;
    log.info(`HTTP routes: ${http.limit} requests per ${formatDuration(http.windowSeconds * 1000)} for each address.`);
    log.info(
      `MCP tools: get_time 3 per 10 s, slow_report 2 at once, all others ${mcpDefault.limit} per ` +
        `${formatDuration(mcpDefault.windowSeconds * 1000)}, each for every client.`,
    );
    process.stdout.write(greeting(base, config));
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      log.info("Stopping.");
      overrides.close();
      server.close(() => void close());
      server.closeAllConnections();
    });
  }
}

function greeting(base: string, { dashboardToken }: Config): string {
  return `
Listening on ${base}. Try it:

  curl -i ${base}/
  for i in $(seq 25); do curl -s -o /dev/null -w '%{http_code}\\n' ${base}/; done
  npm run try -w examples/dual-server -- ${base}/mcp

See it at ${base}/dashboard, with the token ${dashboardToken}

`;
}

/** One line a minute while there is something to say, and one at the end. */
function summarise(log: Logger, statistics: Statistics): void {
  let last = 0;
  const summary = () => {
    const { allowed, refused, busiestKeys } = statistics.report();
    if (allowed + refused === last) return;
    last = allowed + refused;
    log.info({ allowed, refused, busiest: busiestKeys[0] }, `So far ${allowed} allowed, ${refused} refused.`);
  };
  setInterval(summary, SUMMARY_EVERY_MS).unref();
  process.once("exit", summary);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`The server cannot start:\n${error.message}\n`);
  process.exitCode = 1;
}
