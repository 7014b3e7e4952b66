import { connect } from "node:net";
import { identifier } from "../identity/identify.ts";
import { httpProxy } from "../proxy/http/http-proxy.ts";
import { httpUpstream } from "../proxy/http/upstream.ts";
import { type AdminOptions, listening, startAdmin } from "./admin.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import { openGateway } from "./gateway.ts";
import { type HostPort, hostPort } from "./options.ts";
import type { CommonOptions } from "./settings.ts";

export interface HttpOptions extends CommonOptions, AdminOptions {
  /** Without it those of the policy file. */
  readonly upstream?: string;
  readonly listen?: HostPort;
  /** In milliseconds. */
  readonly drain: number;
}

const LARGEST_MESSAGE = 16 * 1024 * 1024;
const PATIENCE_MS = 1_000;

const HERE: HostPort = { host: "127.0.0.1", port: 8080 };

/** `sluice --upstream URL` and `sluice serve`: the limits of a policy file in front of servers over HTTP, until SIGTERM or SIGINT. */
export async function runHttp({ upstream, drain, ...options }: HttpOptions): Promise<number> {
  const given = upstream === undefined ? undefined : [{ url: urlOf(upstream) }];
  const gateway = openGateway(options, { follows: true });
  const { policies, log } = gateway;
  const { config } = policies;
  const { listen = config.listen === undefined ? HERE : hostPort(config.listen) } = options;
  const admin = options.admin ?? (config.admin === undefined ? undefined : hostPort(config.admin));
  const servers = given ?? (config.upstreams ?? []).map(({ path, url }) => ({ path, url: new URL(url) }));
  if (servers.length === 0) {
    await gateway.close();
    throw new CliError(
      "There is no server to stand in front of: give --upstream URL, or upstreams in the policy file.",
    );
  }
  const proxy = httpProxy({
    mounts: servers.map(({ url, ...mount }) => ({ ...mount, upstream: httpUpstream(url) })),
    gates: policies,
    hosts: config.hosts,
    log,
    identify: identityOf(config.identity ?? {}, log),
    httpStatus: config.answer?.httpStatus ?? 200,
    maxMessageBytes: config.maxMessageBytes ?? LARGEST_MESSAGE,
  });
  let isStopping = false;
  let operators = { close: () => {} };
  try {
    const at = await listening(proxy.server, listen, "The gateway");
    operators = await startAdmin(gateway, { ...(admin && { admin }) }, async () =>
      isStopping ? ["the gateway is stopping"] : unreachable(servers.map(({ url }) => url)),
    );
    const fronts = servers.map(({ url, ...mount }) => `${at}${"path" in mount ? mount.path : url.pathname}`);
    const upstreams = servers.map(({ url }) => url.href);
    log.info({ upstreams, at: fronts[0], fronts, ...gateway.about }, "limits are in front of the server");
    await stopped();
    isStopping = true;
    log.info({ drainMs: drain }, "stopping: no new connections");
    await proxy.close(drain);
  } finally {
    operators.close();
    proxy.server.close();
    await gateway.close();
  }
  return ExitCode.ok;
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw new CliError(`--upstream is a URL such as http://localhost:3000/mcp, but it is ${JSON.stringify(text)}.`);
}

function identityOf(...given: Parameters<typeof identifier>): ReturnType<typeof identifier> {
  try {
    return identifier(...given);
  } catch (cause) {
    throw new CliError(`identity: ${(cause as Error).message}`, ExitCode.usage, { cause });
  }
}

async function unreachable(urls: readonly URL[]): Promise<readonly string[]> {
  const found = await Promise.all(urls.map(answers));
  return urls.filter((_, i) => !found[i]).map(({ host }) => `the server behind, ${host}, cannot be reached`);
}

/** Whether somebody listens there. */
function answers({ hostname, port, protocol }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const at = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: at, timeout: PATIENCE_MS });
    const end = (outcome: boolean) => {
      socket.destroy();
      resolve(outcome);
    };
    socket
      .on("connect", () => end(true))
      .on("error", () => end(false))
      .on("timeout", () => end(false));
  });
}

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off("SIGTERM", stop).off("SIGINT", stop);
      resolve();
    };
    process.on("SIGTERM", stop).on("SIGINT", stop);
  });
}
