import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { identifier } from "../identity/identify.ts";
import { httpProxy } from "../proxy/http/http-proxy.ts";
import { httpUpstream } from "../proxy/http/upstream.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import { openGateway } from "./gateway.ts";
import type { CommonOptions } from "./settings.ts";

export interface HttpOptions extends CommonOptions {
  readonly upstream: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** In milliseconds. */
  readonly drain: number;
}

const LARGEST_MESSAGE = 16 * 1024 * 1024;

/** `sluice --upstream URL`: the limits of a policy file in front of a server over HTTP, until SIGTERM or SIGINT. */
export async function runHttp({ upstream, listen, drain, ...options }: HttpOptions): Promise<number> {
  const url = urlOf(upstream);
  const gateway = openGateway(options, { reloadsOnHangUp: true });
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
  const { server } = proxy;
  server.listen(listen.port, listen.host);
  try {
    await once(server, "listening");
  } catch (cause) {
    await gateway.close();
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "something else listens there already" : message;
    throw new CliError(`The gateway cannot listen on ${listen.host}:${listen.port}: ${why}.`, ExitCode.failed, {
      cause,
    });
  }
  const { address, port } = server.address() as AddressInfo;
  const at = `http://${address.includes(":") ? `[${address}]` : address}:${port}${url.pathname}`;
  log.info({ upstream: url.href, at, ...gateway.about }, "limits are in front of the server");
  await stopped();
  log.info({ drainMs: drain }, "stopping: no new connections");
  await proxy.close(drain);
  await gateway.close();
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

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off("SIGTERM", stop).off("SIGINT", stop);
      resolve();
    };
    process.on("SIGTERM", stop).on("SIGINT", stop);
  });
}
