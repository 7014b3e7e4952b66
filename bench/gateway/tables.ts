import { markdownTable } from "../markdown-table.ts";
import type { GatewayResults } from "./suite.ts";

/** What the gateway costs, for the README. */
export function gatewayTables({ http, stdio, policies }: GatewayResults): string {
  const { proxies, sdk } = http;
  const rows = (["byte proxy", "sluice", "mcp-proxy"] as const).map((name) => [
    name === "byte proxy" ? "a byte proxy on node:http that does nothing else" : name,
    proxies[name].toFixed(0),
    `${(proxies[name] / proxies["byte proxy"]).toFixed(1)} ×`,
  ]);
  const table = markdownTable(["In front of a server over HTTP", "CPU µs per call", "× the byte proxy"], rows);
  const thousands = (value: number) => `${Math.round(value / 1000)},000`;
  return (
    `${table}\n\nA server of the official SDK and the gateway in front of it take ${sdk.ratio.toFixed(2)} × the CPU time of the server alone` +
    `; with the byte proxy in the gateway's place it is ${sdk.byteProxyRatio.toFixed(2)} ×. ` +
    `Over stdio ${thousands(stdio.behind)} small calls per second pass the gateway, and one call takes ${stdio.addedMs.toFixed(2)} ms longer at the median. ` +
    `A decision with 1,000 policies and 10,000 overrides takes ${policies.ratio.toFixed(2)} × the time of one with a single policy.`
  );
}
