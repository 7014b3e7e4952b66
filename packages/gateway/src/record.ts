import type { Store } from "sluice";
import { type CallRecord, recordCalls } from "sluice/record";
import { CliError, ExitCode } from "./cli/exit-code.ts";
import { limitsOf } from "./config/limits-of.ts";
import type { Config } from "./config/schema.ts";
import type { Logger } from "./log.ts";

/**
 * The log of calls that the policy file asks for, if it does.
 *
 * @throws CliError when its file cannot be opened
 */
export function openRecord(config: Config, { clock }: Store, log: Logger): CallRecord | undefined {
  const { record } = config;
  if (record === undefined) return undefined;
  const { file, sample, secret, maxFileBytes } = record;
  try {
    return recordCalls({
      file,
      ...(sample !== undefined && { sample }),
      ...(secret !== undefined && { secret }),
      ...(maxFileBytes !== undefined && { maxFileBytes }),
      ...(clock !== undefined && { clock }),
      limits: limitsOf(config),
      onError: (error) => log.error({ err: error, file }, "calls are not recorded any more"),
    });
  } catch (cause) {
    throw new CliError(`record: ${file} cannot be opened: ${(cause as Error).message}.`, ExitCode.failed, { cause });
  }
}
