import { existsSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { loadConfig } from "../config/policies.ts";
import { readConfig } from "../config/read-config.ts";
import type { Config } from "../config/schema.ts";
import { createLog, type Logger } from "../log.ts";
import { CliError } from "./exit-code.ts";

/** Options of the command line that all ways to run share. Each can be an environment variable, too. */
export interface CommonOptions {
  readonly config?: string;
  readonly perClient?: string;
  readonly tool?: readonly string[];
  readonly store?: string;
  readonly shadow?: boolean;
  readonly record?: string;
  readonly logLevel: string;
  readonly logFile?: string;
}

/** What they amount to. */
export interface Settings {
  readonly config: Config;
  /** The policy file, if there is one. */
  readonly file?: string;
  readonly log: Logger;
}

export const DEFAULT_FILE = "sluice.yaml";

/** Limits for whoever has written none yet: generous for an agent at work, tight for one that has run wild. */
const BUILT_IN = 'perClient: 120/min\ntools:\n  "*": 60/min\n';

/** @throws CliError, ConfigError, ConfigFileError */
export function settingsOf(options: CommonOptions, env: NodeJS.ProcessEnv = process.env): Settings {
  const log = createLog({ level: options.logLevel, file: options.logFile });
  const file = options.config ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const own = limitsOfLine(options);
  if (own !== undefined && options.config !== undefined) {
    throw new CliError("Give limits by --config or by --per-client and --tool, not by both.");
  }
  const isBuiltIn = own === undefined && file === undefined;
  const written =
    own !== undefined || file === undefined
      ? readConfig(own ?? BUILT_IN, own === undefined ? "the built-in limits" : "the command line", {})
      : loadConfig(file, env);
  if (isBuiltIn) {
    log.warn(
      `no ${DEFAULT_FILE} here: 120 requests and 60 tool calls per minute are allowed; "sluice init" writes a file to change`,
    );
  }
  const config: Config = {
    ...written,
    ...(options.store !== undefined && { store: checkedStore(options.store) }),
    ...(options.shadow && { mode: "shadow" }),
    ...(options.record !== undefined && { record: { ...written.record, file: options.record } }),
  };
  return { config, log, ...(own === undefined && file !== undefined && { file }) };
}

/** As a policy file, so that errors are the same. */
function limitsOfLine({ perClient, tool = [] }: CommonOptions): string | undefined {
  if (perClient === undefined && tool.length === 0) return undefined;
  const tools = Object.fromEntries(
    tool.map((text) => {
      const [, name, rate] = /^([^=]+)=(.+)$/.exec(text) ?? [];
      if (name === undefined || rate === undefined) {
        throw new CliError(`--tool is NAME=RATE, such as --tool search=10/min, but it is ${JSON.stringify(text)}.`);
      }
      return [name, rate];
    }),
  );
  return JSON.stringify({ ...(perClient !== undefined && { perClient }), ...(tool.length > 0 && { tools }) }, null, 2);
}

function checkedStore(store: string): string {
  return readConfig(JSON.stringify({ store }), "--store", {}).store!;
}

/**
 * Who is at the other end of stdio: whoever runs this process. So all hosts of one user share a limit, when they share
 * a store, and users of different machines do not.
 */
export function localClient(): string {
  let user = "somebody";
  try {
    user = userInfo().username;
  } catch {
    // A container may run as a user that has no name.
    user = String(process.getuid?.() ?? user);
  }
  return `stdio:${user}@${hostname()}`;
}
