import { memoryStore } from "sluice";
import { limitTransport, type McpRateLimitOptions } from "sluice/mcp";
import { manualClock } from "sluice/testing";

/** A transport whose both ends are lists. */
export function fakeTransport(options: McpRateLimitOptions) {
  const delivered: any[] = [];
  const sent: any[] = [];
  const transport: any = {
    send: async (message: any) => void sent.push(message),
    close: async () => {},
    sessionId: undefined,
  };
  limitTransport(transport, options);
  transport.onmessage = (message: any) => void delivered.push(message);
  const receive = (message: object, extra?: object) => transport.onmessage({ jsonrpc: "2.0", ...message }, extra);
  const call = (id: number, name = "echo", extra?: object, params: object = {}) =>
    receive({ id, method: "tools/call", params: { name, arguments: {}, ...params } }, extra);
  return { transport, delivered, sent, receive, call };
}

/** Such a transport over a store of its own, whose clock the test moves. */
export function setup(options: McpRateLimitOptions) {
  const clock = manualClock();
  const store = memoryStore({ clock });
  return { clock, store, ...fakeTransport({ store, ...options }) };
}
