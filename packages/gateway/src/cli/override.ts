import type { Override } from "sluice/mcp";
import { overrideOf } from "../override-text.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import type { CommonOptions } from "./settings.ts";

export interface OverrideOptions extends CommonOptions {
  readonly limit?: string;
  readonly client?: string;
  readonly quota?: readonly string[];
  readonly for?: string;
  readonly note?: string;
  readonly remove?: boolean;
  readonly json?: boolean;
}

/** `sluice override`: other rates for one client, for a while; without a client, which ones there are. */
export async function override(options: OverrideOptions): Promise<number> {
  const gateway = await openGateway({ ...options, logLevel: "error" }, { follows: false });
  try {
    if ((gateway.policies.config.store ?? "memory") === "memory") {
      throw new CliError(
        "The store is memory, which only the running gateway can see. Ask its admin API (/api/v1/overrides), or name a store that is shared: --store sqlite:PATH.",
      );
    }
    if (options.client !== undefined) await change(gateway, options, options.client);
    const list = await gateway.overrides.list();
    process.stdout.write(options.json ? `${JSON.stringify(list)}\n` : inWords(list));
    return ExitCode.ok;
  } finally {
    await gateway.close();
  }
}

async function change({ overrides }: Gateway, options: OverrideOptions, client: string): Promise<void> {
  const { limit, quota, for: duration = "1h", note, remove = false } = options;
  if (limit === undefined)
    throw new CliError(
      "Which limit? --limit is the name of a policy, or where a limit stands: perClient, tools.search.",
    );
  if (remove) {
    if (!(await overrides.remove({ limit, client })))
      throw new CliError(`${client} has no override under ${limit}.`, ExitCode.failed);
    return;
  }
  if (quota === undefined)
    throw new CliError(
      "Which rates? --quota 100/min, several times if need be, --quota unlimited or --quota blocked; or --remove.",
    );
  try {
    const rates = quota.length === 1 ? quota[0]! : quota;
    await overrides.set(
      overrideOf({ limit, client, quota: rates, for: duration, ...(note !== undefined && { note }) }),
    );
  } catch (cause) {
    if (cause instanceof RangeError || cause instanceof TypeError)
      throw new CliError(cause.message, ExitCode.usage, { cause });
    throw cause;
  }
}

function inWords(list: readonly Override[]): string {
  if (list.length === 0) return "There are no overrides.\n";
  return list
    .map(({ limit, client, quota, until, note }) => {
      const why = note === undefined ? "" : ` (${note})`;
      return `${limit} for ${client}: ${[quota].flat().join(", ")} until ${new Date(until).toISOString()}${why}\n`;
    })
    .join("");
}
