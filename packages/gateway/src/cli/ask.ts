import { request } from "node:http";
import { text } from "node:stream/consumers";
import { CliError, ExitCode } from "./exit-code.ts";
import type { HostPort } from "./options.ts";

export interface AskOptions {
  readonly admin?: HostPort;
  /** JSON to post. */
  readonly data?: string;
}

const PATIENCE_MS = 5_000;

/** `sluice ask /readyz`: asks a running gateway's admin API, from where it is bound to. For people, and for probes of containers. */
export function ask(path: string, { admin, data }: AskOptions): Promise<number> {
  if (admin === undefined)
    throw new CliError("Which gateway? Give the address of its admin API: --admin 9090, or SLUICE_ADMIN.");
  if (!path.startsWith("/"))
    throw new CliError(`A path begins with "/", such as /readyz, but it is ${JSON.stringify(path)}.`);
  const { SLUICE_ADMIN_TOKEN: token } = process.env;
  const headers = {
    host: `localhost:${admin.port}`,
    ...(token && { authorization: `Bearer ${token}` }),
    ...(data !== undefined && { "content-type": "application/json" }),
  };
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(new CliError(`The admin API at ${admin.host}:${admin.port} did not answer: ${why}.`, ExitCode.failed));
    const outgoing = request(
      { ...admin, path, method: data === undefined ? "GET" : "POST", headers, timeout: PATIENCE_MS },
      async (response) => {
        process.stdout.write(await text(response));
        resolve(response.statusCode! < 300 ? ExitCode.ok : ExitCode.failed);
      },
    );
    outgoing.on("error", ({ message }) => fail(message));
    outgoing.on("timeout", () => outgoing.destroy(new Error(`nothing for ${PATIENCE_MS / 1000} s`)));
    outgoing.end(data);
  });
}
