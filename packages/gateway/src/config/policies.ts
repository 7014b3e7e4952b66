import { readFileSync } from "node:fs";
import { type Account, type FallbackPolicy, localShare, type Store } from "sluice";
import {
  type AdaptEvent,
  createMcpGate,
  type McpDecisionEvent,
  type McpGate,
  type McpWaitingEvent,
  type Overrides,
} from "sluice/mcp";
import type { Telemetry } from "sluice/opentelemetry";
import type { CallRecord } from "sluice/record";
import type { Gates } from "../proxy/gates.ts";
import { limitsOf } from "./limits-of.ts";
import { readConfig } from "./read-config.ts";
import type { Config } from "./schema.ts";

/** A policy file that cannot be opened. */
export class ConfigFileError extends Error {
  override readonly name = "ConfigFileError";
}

/** @throws ConfigFileError, ConfigError */
export function loadConfig(file: string, env: NodeJS.ProcessEnv): Config {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : (cause as Error).message;
    throw new ConfigFileError(`The policy file ${file} cannot be read: ${why}. "sluice init" writes one.`, { cause });
  }
  return readConfig(text, file, env);
}

/** The policies in force: what the proxies ask, and what a reload replaces. */
export interface Policies extends Gates {
  readonly config: Config;
  /** 1 for the first; one more with each reload. */
  readonly version: number;
  /** From now on these decide. Limits that stay keep their state: it is in the store, under their names. */
  replace(config: Config): void;
}

export interface PoliciesOptions {
  readonly config: Config;
  readonly store: Store;
  readonly overrides: Overrides;
  onDecision?(event: McpDecisionEvent): void;
  /** Hears of every call, and what becomes of it. */
  readonly record?: CallRecord | undefined;
  onAdapt?(event: AdaptEvent): void;
  onWaiting?: ((event: McpWaitingEvent) => void) | undefined;
  /** Hears what servers answer to `tools/list`. */
  onTools?: ((result: unknown) => void) | undefined;
  /** Gives each request a span. */
  readonly telemetry?: Telemetry | undefined;
}

export function createPolicies({
  config: first,
  store,
  overrides,
  onDecision,
  record,
  onAdapt,
  onWaiting,
  onTools,
  telemetry,
}: PoliciesOptions): Policies {
  const gateOf = (config: Config): McpGate => {
    const gate = createMcpGate({
      ...limitsOf(config),
      store,
      overrides,
      ...(onDecision && { onDecision }),
      ...(record && { onCall: record.onCall }),
      ...(onAdapt && { onAdapt }),
      ...(onWaiting && { onWaiting }),
    });
    return telemetry?.gate(gate) ?? gate;
  };
  let config = first;
  let current = gateOf(first);
  let version = 1;
  return {
    get current() {
      return current;
    },
    get readsHeaders() {
      if (telemetry !== undefined) return true;
      return (
        config.policies?.some(({ key = "client" }) => [key].flat().some((part) => part.startsWith("header:"))) ?? false
      );
    },
    ...(onTools && { sawTools: onTools }),
    get config() {
      return config;
    },
    get version() {
      return version;
    },
    replace(next) {
      current = gateOf(next);
      record?.use(limitsOf(next));
      config = next;
      version++;
    },
  };
}

const SHARES = new Map<string, FallbackPolicy>();

/** What becomes of a call under this account while the store fails. */
export function failurePolicyOf(
  { onStoreFailure = "closed", policies = [] }: Config,
  { ledger }: Account,
): FallbackPolicy {
  const [, name] = /^gateway\/policies\/(?:shadow\/)?([^/]+)\//.exec(ledger.space) ?? [];
  const own = policies.find((policy) => policy.name === name)?.onStoreFailure;
  return asFallback(own ?? onStoreFailure);
}

function asFallback(text: string): FallbackPolicy {
  if (text === "closed" || text === "open") return text;
  const known = SHARES.get(text) ?? localShare(Number(text.slice("share/".length)));
  SHARES.set(text, known);
  return known;
}
