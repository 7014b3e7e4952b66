import { askAdmin } from "./admin-client.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import type { HostPort } from "./options.ts";

export interface AskOptions {
  readonly admin?: HostPort;
  /** JSON to post. */
  readonly data?: string;
}

/** `sluice ask /readyz`: asks a running gateway's admin API, from where it is bound to. For people, and for probes of containers. */
export async function ask(path: string, { admin, data }: AskOptions): Promise<number> {
  if (!path.startsWith("/"))
    throw new CliError(`A path begins with "/", such as /readyz, but it is ${JSON.stringify(path)}.`);
  const { status, text } = await askAdmin(admin, path, data);
  process.stdout.write(text);
  return status < 300 ? ExitCode.ok : ExitCode.failed;
}
