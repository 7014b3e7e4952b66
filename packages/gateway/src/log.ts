import { pino } from "pino";

/** What is logged goes to stderr, because stdout is the protocol's in front of a server over stdio. */
export type Logger = pino.Logger;

export interface LogOptions {
  /** `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`. */
  readonly level: string;
  /** Another file than stderr. */
  readonly file?: string | undefined;
}

/** @throws Error for a level that pino does not know, or a file that cannot be opened. */
export function createLog({ level, file }: LogOptions): Logger {
  // Written at once: nothing is lost when the process is killed.
  return pino({ level, base: null }, pino.destination({ dest: file ?? 2, sync: true, mkdir: true }));
}
