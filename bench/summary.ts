import type { DecisionResults } from "./decisions/suite.ts";
import type { GatewayResults } from "./gateway/suite.ts";
import type { HeapResults } from "./heap/suite.ts";
import type { HttpResults } from "./http/suite.ts";
import { markdownTable } from "./markdown-table.ts";
import type { OutboundResults } from "./outbound/suite.ts";
import type { StoreResults } from "./stores/suite.ts";

export interface Measured {
  readonly decisions: DecisionResults;
  readonly gateway: GatewayResults;
  readonly heap: HeapResults;
  readonly http: HttpResults;
  readonly outbound: OutboundResults;
  readonly stores: StoreResults;
}

/** One line for each part, for the README. */
export function summary({ decisions, gateway, heap, http, outbound, stores }: Measured): string {
  const check = decisions["10,000 keys"]!;
  const ratio = (name: "sluice, token bucket" | "rate-limiter-flexible") => check[name]!.allowed!.ratio.toFixed(1);
  const { "sluice, token bucket": ours, "rate-limiter-flexible": theirs } = heap;
  const redis = stores.checks["50 at a time"]!;
  const times = (name: "sluice, exact" | "sluice, leased") => redis[name]!.speed;
  const worst = (name: "sluice" | "p-queue" | "p-throttle" | "bottleneck, reservoir") =>
    outbound.accuracy[name]!.random.starts;
  const { proxies } = gateway.http;
  const toByteProxy = (name: "sluice" | "mcp-proxy") => `${(proxies[name] / proxies["byte proxy"]).toFixed(1)} ×`;
  return markdownTable(
    ["Measured in one run", "Sluice", "beside it"],
    [
      [
        "a check in memory, 10,000 keys: CPU, × a bare GCRA",
        `${ratio("sluice, token bucket")} ×`,
        `${ratio("rate-limiter-flexible")} × rate-limiter-flexible`,
      ],
      ["memory of a live key, in bytes", ours!.perKey.toFixed(0), `${theirs!.perKey.toFixed(0)} rate-limiter-flexible`],
      [
        "Express: CPU that a request takes more, in µs",
        http.express!["sluice, allowed"]!.added.toFixed(1),
        `${http.express!["peer, allowed"]!.added.toFixed(1)} express-rate-limit`,
      ],
      [
        "Redis, 50 checks at a time: checks per second",
        `${times("sluice, exact").toFixed(1)} ×; leased ${times("sluice, leased").toFixed(0)} ×`,
        "1 × rate-limiter-flexible",
      ],
      [
        "calls out, at most 10 per second: the most in any second, random arrivals",
        `${worst("sluice")}`,
        `${worst("p-queue")} p-queue, ${worst("p-throttle")} p-throttle, ${worst("bottleneck, reservoir")} bottleneck`,
      ],
      [
        "gateway over HTTP: CPU per call, × a proxy that only copies bytes",
        toByteProxy("sluice"),
        `${toByteProxy("mcp-proxy")} mcp-proxy`,
      ],
    ],
  );
}
