import { createPolicies, failurePolicyOf } from "../config/policies.ts";
import { reloadOnChange } from "../config/reload.ts";
import { logDecisions } from "../log-decisions.ts";
import { stdioProxy } from "../proxy/stdio/stdio-proxy.ts";
import { openStore } from "../store/open-store.ts";
import { CliError } from "./exit-code.ts";
import { type CommonOptions, localClient, settingsOf } from "./settings.ts";

export interface StdioOptions extends CommonOptions {
  readonly client?: string;
  readonly maxMessageBytes: number;
}

/** `sluice -- node server.js`: the limits of a policy file in front of a server over stdio. Resolves to its exit code. */
export async function runStdio(command: readonly [string, ...string[]], options: StdioOptions): Promise<number> {
  const { config, file, log } = settingsOf(options);
  const { store, name, close } = openStore({
    address: config.store ?? "memory",
    log,
    onFailure: (account) => failurePolicyOf(policies.config, account),
  });
  const policies = createPolicies({ config, store, onDecision: logDecisions(log) });
  const reloader = file === undefined ? undefined : reloadOnChange({ file, policies, log, onHangUp: false });
  const [program, ...args] = command;
  log.info({ command, file, store: name, mode: config.mode ?? "enforce" }, "limits are in front of the server");
  const { code, signal, error } = await stdioProxy({
    command: program,
    args,
    gates: policies,
    origin: { connection: options.client ?? localClient() },
    maxMessageBytes: options.maxMessageBytes,
    failed: (cause) => log.error({ err: cause }, "a request could not be decided about"),
  });
  await reloader?.close();
  await close();
  if (error !== undefined)
    throw new CliError(`The server could not be started: ${error.message}.`, code, { cause: error });
  if (signal === undefined) return code;
  // Whoever started this process sees it end as the server did.
  process.kill(process.pid, signal);
  return 128;
}
