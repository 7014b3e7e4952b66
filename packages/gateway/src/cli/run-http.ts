import type { Config } from "../config/schema.ts";
import type { UpstreamConfig } from "../config/upstreams-schema.ts";
import { identifier } from "../identity/identify.ts";
import { protectedResource } from "../identity/resource.ts";
import type { Logger } from "../log.ts";
import { httpProxy } from "../proxy/http/http-proxy.ts";
import { httpUpstream } from "../proxy/http/http-upstream.ts";
import type { Upstream } from "../proxy/http/upstream.ts";
import { type WatchedUpstream, watched } from "../proxy/http/watched-upstream.ts";
import { processUpstream } from "../proxy/process/process-upstream.ts";
import { type AdminOptions, listening, startAdmin } from "./admin.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import { openGateway } from "./gateway.ts";
import { type HostPort, hostPort } from "./options.ts";
import type { CommonOptions } from "./settings.ts";

export interface HttpOptions extends CommonOptions, AdminOptions {
  /** The server behind, over HTTP or to be started; without either those of the policy file. */
  readonly upstream?: string;
  readonly command?: readonly [string, ...string[]];
  readonly listen?: HostPort;
  /** In milliseconds. */
  readonly drain: number;
}

const LARGEST_MESSAGE = 16 * 1024 * 1024;

const HERE: HostPort = { host: "127.0.0.1", port: 8080 };

/**
 * `sluice --upstream URL`, `sluice --listen ADDRESS -- COMMAND` and `sluice serve`: the limits of a policy file in front of servers, over
 * HTTP, until SIGTERM or SIGINT.
 */
export async function runHttp({ upstream, command, drain, ...options }: HttpOptions): Promise<number> {
  const given: UpstreamConfig | undefined =
    command !== undefined
      ? { command: [...command] }
      : upstream !== undefined
        ? { url: urlOf(upstream).href }
        : undefined;
  const gateway = await openGateway(options, { follows: true });
  const { policies, log } = gateway;
  const { config } = policies;
  const { listen = config.listen === undefined ? HERE : hostPort(config.listen) } = options;
  const admin = options.admin ?? (config.admin === undefined ? undefined : hostPort(config.admin));
  const servers = given === undefined ? (config.upstreams ?? []) : [given];
  if (servers.length === 0) {
    await gateway.close();
    throw new CliError(
      "There is no server to stand in front of: give --upstream URL, a command after --, or upstreams in the policy file.",
    );
  }
  const mounts = servers.map((server): WatchedMount => {
    return { path: server.path, upstream: watched(upstreamOf(server, config, log)) };
  });
  const proxy = httpProxy({
    mounts,
    gates: policies,
    hosts: config.hosts,
    log,
    identify: identityOf(config.identity ?? {}, log),
    resource: protectedResource(config.identity ?? {}),
    httpStatus: config.answer?.httpStatus ?? 200,
    maxMessageBytes: config.maxMessageBytes ?? LARGEST_MESSAGE,
  });
  let isStopping = false;
  let stopBy = 0;
  let operators = { close: () => {} };
  try {
    const at = await listening(proxy.server, listen, "The gateway");
    operators = await startAdmin(
      gateway,
      { ...(admin && { admin }) },
      {
        problems: async () => (isStopping ? ["the gateway is stopping"] : problemsOf(mounts)),
        upstreams: () => Promise.all(mounts.map(aboutMount)),
      },
    );
    const fronts = mounts.map(({ path, upstream: server }) => `${at}${path ?? server.path}`);
    const upstreams = servers.map(({ url, command: words = [] }) => url ?? words.join(" "));
    log.info({ upstreams, at: fronts[0], fronts, ...gateway.about }, "limits are in front of the server");
    await stopped();
    isStopping = true;
    stopBy = performance.now() + drain;
    log.info({ drainMs: drain }, "stopping: no new connections");
    await proxy.close(drain);
  } finally {
    operators.close();
    proxy.server.close();
    await gateway.close(stopBy - performance.now());
  }
  return ExitCode.ok;
}

function upstreamOf(
  { path: _, url, command, idle, ...server }: UpstreamConfig,
  { hosts }: Config,
  log: Logger,
): Upstream {
  if (url !== undefined) return httpUpstream(new URL(url));
  return processUpstream({ ...server, command: command as [string, ...string[]], idleMs: idle, hosts, log });
}

interface WatchedMount {
  readonly path?: string | undefined;
  readonly upstream: WatchedUpstream;
}

async function aboutMount({ path, upstream }: WatchedMount) {
  const problem = await upstream.problem();
  const about = { name: upstream.name, path: path ?? upstream.path, ...upstream.load };
  return { ...about, ...(problem !== undefined && { problem }) };
}

const problemsOf = async (mounts: readonly WatchedMount[]): Promise<readonly string[]> =>
  (await Promise.all(mounts.map(({ upstream }) => upstream.problem()))).filter((problem) => problem !== undefined);

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

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off("SIGTERM", stop).off("SIGINT", stop);
      resolve();
    };
    process.on("SIGTERM", stop).on("SIGINT", stop);
  });
}
