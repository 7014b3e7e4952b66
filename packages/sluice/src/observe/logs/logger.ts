/** What is written to: pino, or anything that takes fields and a text. */
export interface LoggerLike {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
  /** Where it says no, nothing is made for that level. @default all are written */
  isLevelEnabled?(level: "debug"): boolean;
}

export interface LogOptions {
  /** How often the same is told at most: the first time at once, what follows as a count. In milliseconds. @default 10_000 */
  readonly everyMs?: number;
  /** Clients and tools that are told apart at once; of others the first is told again. @default 1_000 */
  readonly maxKeys?: number;
}
