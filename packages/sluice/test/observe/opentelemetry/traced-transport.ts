import { limitTransport, type McpRateLimitOptions } from "sluice/mcp";
import type { TelemetryOptions } from "sluice/opentelemetry";
import { api, recording } from "./recording.ts";

/** A server's transport whose both ends are lists, traced, and behind limits if there are some. */
export function setup(limits?: McpRateLimitOptions, options?: Partial<TelemetryOptions>) {
  const record = recording(options);
  const delivered: any[] = [];
  const transport: any = { send: async () => {}, close: async () => {} };
  record.telemetry.serverTransport(transport);
  if (limits !== undefined) limitTransport(transport, { ...record.telemetry.listeners, ...limits });
  transport.onmessage = (message: any) =>
    void delivered.push({ message, span: api.trace.getActiveSpan(), baggage: api.propagation.getActiveBaggage() });
  transport.onclose = () => {};
  const receive = (message: object, extra?: object) => transport.onmessage({ jsonrpc: "2.0", ...message }, extra);
  const call = (id: number, name = "echo", meta: object = {}) =>
    receive({ id, method: "tools/call", params: { name, arguments: {}, _meta: meta } });
  const answer = (id: number, result: object = { content: [] }) => transport.send({ jsonrpc: "2.0", id, result });
  return { ...record, transport, delivered, receive, call, answer };
}
