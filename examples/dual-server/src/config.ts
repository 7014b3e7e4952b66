import { randomBytes } from "node:crypto";
import { pino } from "pino";

/** What the environment says about how the server runs. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  /** Requests to `/` and `/stats` together, per address. */
  readonly http: Rate;
  /** Calls of the tools that have no limit of their own, per client. */
  readonly mcpDefault: Rate;
  readonly store: StoreChoice;
  /** What who looks at `/dashboard` has to enter. */
  readonly dashboardToken: string;
}

/** Where the state of the limits lives: in this process, in a file for several processes, in Redis for several machines. */
export type StoreChoice =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "redis"; readonly url: string };

export interface Rate {
  readonly limit: number;
  readonly windowSeconds: number;
}

/** Something in the environment is wrong: the server does not start. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** @throws ConfigError that names every wrong variable, what was found, and what would be right. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const number = (name: string, fallback: number, least: number, most = Number.MAX_SAFE_INTEGER): number => {
    const text = environment[name] ?? "";
    if (text === "") return fallback;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    problems.push(`${name} must be a whole number ${range}, but it is ${JSON.stringify(text)}.`);
    return fallback;
  };
  const rate = (prefix: string, fallback: Rate): Rate => ({
    limit: number(`${prefix}_LIMIT`, fallback.limit, 1),
    windowSeconds: number(`${prefix}_WINDOW`, fallback.windowSeconds, 1, 366 * 86_400),
  });
  const levels = [...Object.keys(pino.levels.values), "silent"];
  const logLevel = (environment.LOG_LEVEL || "info").toLowerCase();
  if (!levels.includes(logLevel)) {
    problems.push(`LOG_LEVEL must be one of ${levels.join(", ")}, but it is ${JSON.stringify(environment.LOG_LEVEL)}.`);
  }
  const config: Config = {
    host: environment.HOST || "127.0.0.1",
    port: number("PORT", 8000, 0, 65_535),
    logLevel,
    http: rate("RATE_LIMIT_HTTP", { limit: 20, windowSeconds: 60 }),
    mcpDefault: rate("RATE_LIMIT_MCP_DEFAULT", { limit: 10, windowSeconds: 60 }),
    store: storeChoice(environment.STORE || "memory", problems),
    dashboardToken: environment.DASHBOARD_TOKEN || randomBytes(16).toString("base64url"),
  };
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return config;
}

function storeChoice(text: string, problems: string[]): StoreChoice {
  if (text.startsWith("sqlite:") && text.length > 7) return { kind: "sqlite", path: text.slice(7) };
  if (/^rediss?:\/\//.test(text) && URL.canParse(text)) return { kind: "redis", url: text };
  if (text !== "memory") {
    const found = JSON.stringify(text.replace(/\/\/.*@/, "//…@"));
    problems.push(`STORE must be memory, sqlite:PATH or redis://HOST:PORT, but it is ${found}.`);
  }
  return { kind: "memory" };
}
