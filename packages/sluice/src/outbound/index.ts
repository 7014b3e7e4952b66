export { OutboundError, type OutboundReason } from "./errors.ts";
export type { ResponseHeaders } from "./feedback/headers.ts";
export { type ResponseHead, readStatement, type StatedLimit, type Statement } from "./feedback/statement.ts";
