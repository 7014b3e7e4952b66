import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { adminServer } from "../admin/admin-server.ts";
import { live } from "../admin/live/live.ts";
import type { UpstreamData } from "../admin/routes.ts";
import { version } from "../version.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import type { Gateway } from "./gateway.ts";
import type { HostPort } from "./options.ts";

export interface AdminOptions {
  readonly admin?: HostPort;
}

/** What is known of the servers behind. */
interface Behind {
  /** What is not ready there. */
  problems(): Promise<readonly string[]>;
  upstreams(): Promise<readonly UpstreamData[]>;
}

/** The environment has the token, because a command line can be read by everybody on the machine. */
const TOKEN = "SLUICE_ADMIN_TOKEN";

/**
 * Starts the admin API, where it is wanted.
 *
 * @throws CliError when it cannot listen
 */
export async function startAdmin(
  gateway: Gateway,
  { admin }: AdminOptions,
  { problems, upstreams }: Behind = { problems: async () => [], upstreams: async () => [] },
): Promise<{ close(): void }> {
  const { policies, log, reloader, overrides, metrics } = gateway;
  if (admin === undefined || metrics === undefined) return { close: () => {} };
  const happening = live(() => policies.current);
  gateway.listen(happening.saw);
  reloader?.listen((ok) => happening.changes.add({ kind: "reload", ok, version: policies.version }));
  const allProblems = async () => [...(await storeProblems(gateway)), ...(await problems())];
  const [store = ""] = gateway.about.store.split(":", 1);
  metrics.observeGateway({ policies, reloader, store, startedAt: happening.startedAt, upstreams });
  const server = adminServer({
    metrics,
    policies,
    overrides,
    live: happening,
    log,
    token: process.env[TOKEN] || undefined,
    reload: reloader && (() => reloader.reload()),
    problems: allProblems,
    status: async () => ({
      now: Date.now(),
      startedAt: happening.startedAt,
      version: policies.version,
      mode: policies.config.mode ?? "enforce",
      file: gateway.about.file,
      store: gateway.about.store,
      lastReload: reloader?.last,
      sluice: version,
      problems: await allProblems(),
      upstreams: await upstreams(),
      adapted: gateway.adapted(),
    }),
  });
  const at = await listening(server, admin, "The admin API");
  log.info({ at, hasToken: Boolean(process.env[TOKEN]) }, "the admin API listens");
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Asks for a decision that charges nothing: without the store it is a degraded one. */
async function storeProblems({ policies, about }: Gateway): Promise<readonly string[]> {
  const request = { jsonrpc: "2.0", id: 0, method: "tools/call", params: { name: "readyz" } } as const;
  try {
    const { limits } = await policies.current.explain(request, { connection: "readyz" });
    return limits.some(({ decision }) => decision.degraded) ? [`the store ${about.store} does not answer`] : [];
  } catch (error) {
    return [`the store ${about.store} does not answer: ${(error as Error).message}`];
  }
}

/** Resolves to the address. @throws CliError */
export async function listening(server: Server, { host, port }: HostPort, who: string): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "something else listens there already" : message;
    throw new CliError(`${who} cannot listen on ${host}:${port}: ${why}.`, ExitCode.failed, { cause });
  }
  const { address, port: given } = server.address() as AddressInfo;
  return `http://${address.includes(":") ? `[${address}]` : address}:${given}`;
}
