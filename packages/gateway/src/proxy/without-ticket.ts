import { withoutTicket } from "sluice/mcp";

/** A message without the ticket of ours that it came with: byte by byte as it was otherwise. */
export function withoutTicketOf({ ticket }: { readonly ticket?: string }, message: Buffer): Buffer {
  return ticket === undefined ? message : Buffer.from(withoutTicket(message.toString("latin1"), ticket), "latin1");
}
