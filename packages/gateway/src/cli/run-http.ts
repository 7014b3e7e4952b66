import { connect } from "node:net";
import { identifier } from "../identity/identify.ts";
import { httpProxy } from "../proxy/http/http-proxy.ts";
import { httpUpstream } from "../proxy/http/upstream.ts";
import { type AdminOptions, listening, startAdmin } from "./admin.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import { openGateway } from "./gateway.ts";
import type { HostPort } from "./options.ts";
import type { CommonOptions } from "./settings.ts";

export interface HttpOptions extends CommonOptions, AdminOptions {
  readonly upstream: string;
  readonly listen: HostPort;
  /** In milliseconds. */
  readonly drain: number;
}

const LARGEST_MESSAGE = 16 * 1024 * 1024;
const PATIENCE_MS = 1_000;

/** `sluice --upstream URL`: the limits of a policy file in front of a server over HTTP, until SIGTERM or SIGINT. */
export async function runHttp({ upstream, listen, drain, ...options }: HttpOptions): Promise<number> {
  const url = urlOf(upstream);
  const gateway = openGateway(options, { follows: true });
  const { policies, log } = gateway;
  const { config } = policies;
  const proxy = httpProxy({
    upstream: httpUpstream(url),
    gates: policies,
    log,
    identify: identityOf(config.identity ?? {}, log),
    httpStatus: config.answer?.httpStatus ?? 200,
    maxMessageBytes: config.maxMessageBytes ?? LARGEST_MESSAGE,
  });
  let isStopping = false;
  let admin = { close: () => {} };
  try {
    const at = await listening(proxy.server, listen, "The gateway");
    admin = await startAdmin(gateway, options, async () =>
      isStopping
        ? ["the gateway is stopping"]
        : (await answers(url))
          ? []
          : [`the server behind, ${url.host}, cannot be reached`],
    );
    log.info({ upstream: url.href, at: `${at}${url.pathname}`, ...gateway.about }, "limits are in front of the server");
    await stopped();
    isStopping = true;
    log.info({ drainMs: drain }, "stopping: no new connections");
    await proxy.close(drain);
  } finally {
    admin.close();
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
