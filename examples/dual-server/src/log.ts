import { join } from "node:path";
import { type Logger, multistream, pino } from "pino";
import pretty from "pino-pretty";

const FILE = "rate_limiting.log";

/** Logs to the console and to `rate_limiting.log`. Over stdio the console is stderr: stdout carries the protocol. */
export function createLog(
  level: string,
  isStdio: boolean,
  folder: string = process.env.INIT_CWD ?? process.cwd(),
): Logger {
  const streams = [
    { level: "trace" as const, stream: pretty({ destination: isStdio ? 2 : 1, sync: true, ignore: "pid,hostname" }) },
    { level: "trace" as const, stream: pino.destination({ dest: join(folder, FILE), sync: true, append: true }) },
  ];
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, multistream(streams));
}
