import type { ServerResponse } from "node:http";
import type { McpGate, Refusal } from "sluice/mcp";
import type { LoggedDecision } from "./decision-log.ts";
import type { Live } from "./live.ts";

export interface EventsOptions {
  readonly live: Live;
  /** The gate that words refusals. */
  gate(): McpGate;
  /** The last event that the client has: it gets what came since then. @default only what comes */
  readonly after?: number | undefined;
}

const SECOND_MS = 1_000;
/** A page that reads no more is let go: it asks again for what it missed. */
const MOST_UNREAD_BYTES = 1_000_000;

/** Sends decisions as they are made, and each second how many there were, until the client leaves (SSE). */
export function sendEvents(response: ServerResponse, { live, gate, after }: EventsOptions): void {
  const send = (event: string, data: object, id?: number) => {
    if (response.writableLength > MOST_UNREAD_BYTES) return void response.destroy();
    const number = id === undefined ? "" : `id: ${id}\n`;
    response.write(`event: ${event}\n${number}data: ${JSON.stringify(data)}\n\n`);
  };
  const sendDecision = (decision: LoggedDecision) => send("decision", decisionData(decision, gate()), decision.id);
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  response.write(":\n\n");
  if (after !== undefined) {
    // After a restart of the gateway its ids begin anew.
    const { decisions, missed } = live.log.since(after > live.log.last ? 0 : after);
    if (missed > 0) send("missed", { count: missed });
    for (const decision of decisions) sendDecision(decision);
  }
  const leave = live.log.subscribe(sendDecision);
  const timer = setInterval(() => {
    const { unsent } = live.log;
    // The second that is over.
    send("tick", { ...live.counts.second(Date.now() - SECOND_MS), unsent });
  }, SECOND_MS).unref();
  response.on("close", () => {
    leave();
    clearInterval(timer);
  });
}

/** For programs. */
function decisionData({ decision, decisions, refusal, ...about }: LoggedDecision, gate: McpGate): object {
  const { allowed, quota, retryAfterMs, degraded } = decision;
  return {
    ...about,
    allowed,
    quota,
    retryAfterMs,
    degraded,
    decisions: decisions.map(({ quota: { name, text }, key, cost, decision: one }) => ({
      quota: name,
      rate: text,
      key,
      cost,
      limit: one.limit,
      remaining: one.remaining,
      allowed: one.allowed,
      resetAfterMs: one.resetAfterMs,
    })),
    ...(refusal !== undefined && { text: textOf(about, refusal, gate) }),
  };
}

/** What the model saw. */
function textOf({ method, tool }: Pick<LoggedDecision, "method" | "tool">, refusal: Refusal, gate: McpGate): string {
  const params = tool === undefined ? {} : { name: tool };
  const { result, error } = gate.refuse({ jsonrpc: "2.0", id: 0, method, params }, refusal) as any;
  return result?.content?.[0]?.text ?? error?.message ?? "";
}
