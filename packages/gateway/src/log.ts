import { pino } from "pino";
import { PinoPretty as pretty } from "pino-pretty";

/** What is logged goes to stderr, because stdout is the protocol's in front of a server over stdio. */
export type Logger = pino.Logger;

export interface LogOptions {
  /** `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`. */
  readonly level: string;
  /** Another file than stderr. */
  readonly file?: string | undefined;
}

/** Lines of JSON; on a terminal, of text. @throws Error for a level that pino does not know, or a file that cannot be opened. */
export function createLog({ level, file }: LogOptions): Logger {
  const options: pino.LoggerOptions = { level, base: null };
  // Written at once: nothing is lost when the process is killed.
  if (file === undefined && process.stderr.isTTY) {
    return pino(options, pretty({ destination: 2, sync: true, colorize: true, translateTime: "HH:MM:ss.l" }));
  }
  return pino(options, pino.destination({ dest: file ?? 2, sync: true, mkdir: true }));
}
