export { type LogDecisionsOptions, logDecisions } from "./log-decisions.ts";
export { logUpstreams } from "./log-upstreams.ts";
export type { LoggerLike, LogOptions } from "./logger.ts";
