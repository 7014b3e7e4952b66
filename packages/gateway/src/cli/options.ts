import { type Command, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "sluice";
import { DEFAULT_FILE } from "./settings.ts";

/** Where to listen. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** Adds what all ways to run have. */
export function withCommonOptions(command: Command): Command {
  return command
    .addOption(
      new Option("-c, --config <file>", `the policy file (default: ${DEFAULT_FILE}, if it is there)`).env(
        "SLUICE_CONFIG",
      ),
    )
    .addOption(
      new Option("--store <store>", "memory, sqlite:PATH or redis://HOST:PORT, whatever the file says").env(
        "SLUICE_STORE",
      ),
    )
    .option("--per-client <rate>", "instead of a file: all requests of a client, such as 60/min")
    .option(
      "--tool <name=rate>",
      "instead of a file: calls of one tool, such as search=10/min; may be given several times",
      several,
    )
    .option("--shadow", "refuse nothing, only log what would have been refused")
    .addOption(
      new Option(
        "--record <file>",
        "write what policies need to know of each call to this file, for `sluice simulate`",
      ).env("SLUICE_RECORD"),
    )
    .addOption(
      new Option("--log-level <level>", "how much to log, on stderr")
        .choices(LEVELS)
        .default("info")
        .env("SLUICE_LOG_LEVEL"),
    )
    .addOption(new Option("--log-file <file>", "log to this file instead").env("SLUICE_LOG_FILE"));
}

/** An option that may be given several times. */
export const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** `8080`, `0.0.0.0:8080`, `[::1]:8080`. */
export function hostPort(text: string): HostPort {
  const [, host = "127.0.0.1", digits] = /^(?:(\[[^\]]+\]|[^:]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits !== undefined && port <= 65_535) return { host: host.replace(/^\[|\]$/g, ""), port };
  throw new InvalidArgumentError(`It is PORT or HOST:PORT, but it is ${JSON.stringify(text)}.`);
}

/** `10s`, in milliseconds. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError(`It is a duration such as 10s, but it is ${JSON.stringify(text)}.`);
}

/** `20`: a whole number above 0. */
export function whole(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new InvalidArgumentError(`It is a whole number above 0, but it is ${JSON.stringify(text)}.`);
}
