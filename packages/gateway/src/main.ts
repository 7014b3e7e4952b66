#!/usr/bin/env node
import { CommanderError } from "commander";
import { CallTextError } from "./call-text.ts";
import { CliError, ExitCode } from "./cli/exit-code.ts";
import { run } from "./cli/program.ts";
import { ConfigFileError } from "./config/policies.ts";
import { ConfigError } from "./config/problem.ts";
import { version } from "./version.ts";

try {
  process.exitCode = await run(process.argv.slice(2), version);
} catch (error) {
  process.exitCode = explained(error);
}

/** Mistakes of the user are told in words; anything else is ours, and has a stack. */
function explained(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  const isUsers = [CliError, ConfigError, ConfigFileError, CallTextError].some((one) => error instanceof one);
  if (isUsers && error instanceof Error) {
    process.stderr.write(`${error.message}\n`);
    return error instanceof CliError ? error.exitCode : ExitCode.usage;
  }
  console.error(error);
  return ExitCode.failed;
}
