import type { Goal } from "../goals.ts";
import type { GatewayResults } from "./suite.ts";

/** What is to be true of the gateway's figures. */
export function gatewayGoals({ http, stdio, policies }: GatewayResults): readonly Goal[] {
  return [
    { what: "gateway, HTTP: CPU of server and gateway, × the server's alone", found: http.sdk.ratio, bound: 1.25 },
    { what: "gateway, HTTP: CPU, × a bare byte proxy", found: http.toByteProxy, bound: 3 },
    { what: "gateway, HTTP: CPU, × mcp-proxy", found: http.toMcpProxy, bound: 1 / 3 },
    {
      what: "gateway, stdio: microseconds per message, as many at a time as there are",
      found: 1e6 / stdio.behind,
      bound: 20,
    },
    { what: "gateway, stdio: added to one call at p50, in ms", found: stdio.addedMs, bound: 0.2 },
    {
      what: "gateway: a decision with 1,000 policies and 10,000 overrides, × with one policy",
      found: policies.ratio,
      bound: 1.2,
    },
  ];
}
