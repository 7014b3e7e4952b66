import { stdioProxy } from "../proxy/stdio/stdio-proxy.ts";
import { type AdminOptions, startAdmin } from "./admin.ts";
import { CliError } from "./exit-code.ts";
import { openGateway } from "./gateway.ts";
import { type CommonOptions, localClient } from "./settings.ts";

export interface StdioOptions extends CommonOptions, AdminOptions {
  readonly client?: string;
}

const LARGEST_MESSAGE = 64 * 1024 * 1024;

/** `sluice -- node server.js`: the limits of a policy file in front of a server over stdio. Resolves to its exit code. */
export async function runStdio(command: readonly [string, ...string[]], options: StdioOptions): Promise<number> {
  const gateway = await openGateway(options, { follows: "file" });
  const { policies, log } = gateway;
  const admin = await startAdmin(gateway, options);
  const [program, ...args] = command;
  log.info({ command, ...gateway.about }, "limits are in front of the server");
  const { code, signal, error } = await stdioProxy({
    command: program,
    args,
    gates: policies,
    origin: { connection: options.client ?? localClient() },
    maxMessageBytes: policies.config.maxMessageBytes ?? LARGEST_MESSAGE,
    failed: (cause) => log.error({ err: cause }, "a request could not be decided about"),
  });
  admin.close();
  await gateway.close();
  if (error !== undefined)
    throw new CliError(`The server could not be started: ${error.message}.`, code, { cause: error });
  if (signal === undefined) return code;
  // Whoever started this process sees it end as the server did.
  process.kill(process.pid, signal);
  return 128;
}
