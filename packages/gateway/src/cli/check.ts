import { loadConfig } from "../config/policies.ts";
import { ConfigError } from "../config/problem.ts";
import type { Config } from "../config/schema.ts";
import { ExitCode } from "./exit-code.ts";
import { DEFAULT_FILE } from "./settings.ts";

export interface CheckOptions {
  readonly json?: boolean;
}

/** `sluice check`: says what is wrong with a policy file. */
export function check(file: string = DEFAULT_FILE, { json = false }: CheckOptions): number {
  try {
    const config = loadConfig(file, process.env);
    if (json) print(JSON.stringify({ file, ok: true, problems: [] }));
    else print(`${file} is good: ${summary(config)}.`);
    return ExitCode.ok;
  } catch (error) {
    if (!json || !(error instanceof ConfigError)) throw error;
    print(JSON.stringify({ file, ok: false, problems: error.problems }));
    return ExitCode.usage;
  }
}

function summary({ perClient, global, methods = {}, tools = {}, policies = [], mode }: Config): string {
  const limits = [perClient, global, ...Object.values(methods), ...Object.values(tools)].filter(
    (one) => one !== undefined,
  );
  const onTrial = policies.filter((one) => one.mode === "shadow").length;
  const parts = [counted(limits.length, "limit"), counted(policies.length, "policy", "policies")];
  if (mode === "shadow") parts.push("all in shadow mode");
  else if (onTrial > 0) parts.push(`${onTrial} of them in shadow mode`);
  return parts.join(", ");
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
