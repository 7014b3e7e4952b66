import { request } from "node:http";
import { text } from "node:stream/consumers";
import { CliError, ExitCode } from "./exit-code.ts";
import type { HostPort } from "./options.ts";

const PATIENCE_MS = 5_000;

/** What an admin API answered. */
export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Asks the admin API of a running gateway, with the token of the environment.
 *
 * @param data is posted
 * @throws CliError when it is not said which, or nobody answers
 */
export function askAdmin(admin: HostPort | undefined, path: string, data?: string): Promise<AdminAnswer> {
  if (admin === undefined)
    throw new CliError("Which gateway? Give the address of its admin API: --admin 9090, or SLUICE_ADMIN.");
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
      async (response) => resolve({ status: response.statusCode!, text: await text(response) }),
    );
    outgoing.on("error", ({ message }) => fail(message));
    outgoing.on("timeout", () => outgoing.destroy(new Error(`nothing for ${PATIENCE_MS / 1000} s`)));
    outgoing.end(data);
  });
}
