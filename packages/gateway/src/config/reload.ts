import { watch } from "chokidar";
import type { Logger } from "../log.ts";
import { loadConfig, type Policies } from "./policies.ts";
import { ConfigError } from "./problem.ts";
import type { Config } from "./schema.ts";

export interface ReloadOptions {
  readonly file: string;
  readonly policies: Policies;
  readonly log: Logger;
  /** Whether SIGHUP means that, too. In front of a server over stdio it is the server's. */
  readonly onHangUp: boolean;
  /** What the command line says whatever the file says. */
  readonly overrides: Partial<Config>;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Reloader {
  /** Reads the file now. False: it is bad, and the last good one stays. */
  reload(): boolean;
  /** When the file was read last (in milliseconds since 1970), and whether it was good. */
  readonly last: { readonly at: number; readonly ok: boolean } | undefined;
  /** How often it was read anew, and how often it was bad; and when it was good last, if it was. */
  readonly count: { readonly good: number; readonly bad: number; readonly goodAt: number | undefined };
  /** Is told each time whether it was good. */
  listen(hear: (ok: boolean) => void): void;
  close(): Promise<void>;
}

/** Reads the policy file anew when it changes, and on SIGHUP. Editors write in several steps: it waits until they are done. */
export function reloadOnChange({
  file,
  policies,
  log,
  onHangUp,
  overrides,
  env = process.env,
}: ReloadOptions): Reloader {
  const { store: storeAtStart = "memory" } = policies.config;

  const listeners: ((ok: boolean) => void)[] = [];
  let last: Reloader["last"];
  const count: { -readonly [K in keyof Reloader["count"]]: Reloader["count"][K] } = {
    good: 0,
    bad: 0,
    goodAt: undefined,
  };

  function reload(): boolean {
    const ok = readAnew();
    last = { at: Date.now(), ok };
    if (ok) {
      count.good++;
      count.goodAt = last.at;
    } else count.bad++;
    for (const hear of listeners) hear(ok);
    return ok;
  }

  function readAnew(): boolean {
    try {
      const config = { ...loadConfig(file, env), ...overrides };
      policies.replace(config);
      log.info({ file, version: policies.version }, "policies reloaded");
      if ((config.store ?? "memory") !== storeAtStart) {
        log.warn({ file }, "the file names another store now: that takes a restart");
      }
      return true;
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : undefined;
      log.error(
        { file, problems },
        `the policy file was not reloaded, and the last good one stays\n${(error as Error).message}`,
      );
      return false;
    }
  }

  const watcher = watch(file, { ignoreInitial: true, awaitWriteFinish: { stabilityThreshold: 50, pollInterval: 10 } });
  watcher.on("change", reload).on("add", reload);
  watcher.on("error", (error) => log.warn({ file, err: error }, "the policy file is not watched"));
  const hungUp = () => {
    reload();
  };
  if (onHangUp) process.on("SIGHUP", hungUp);
  return {
    reload,
    count,
    get last() {
      return last;
    },
    listen: (hear) => void listeners.push(hear),
    async close() {
      process.off("SIGHUP", hungUp);
      await watcher.close();
    },
  };
}
