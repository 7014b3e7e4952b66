export { OutboundError, type OutboundReason } from "./errors.ts";
