import { median } from "../statistics.ts";
import { startWorker, type Worker } from "../worker.ts";
import { type Load, openLoad } from "./load.ts";
import { type HostName, hosts, type Limiting } from "./servers.ts";

/** CPU time of the server in µs per request, and how much more that is than without a limit. */
export interface HttpFigures {
  readonly us: number;
  readonly added: number;
}

export type Variant = "bare" | "peer, allowed" | "peer, refused" | "sluice, allowed" | "sluice, refused";
export type HttpResults = Partial<Record<HostName, Partial<Record<Variant, HttpFigures>>>>;

interface Server extends Load {
  readonly worker: Worker;
  readonly status: number;
}

const LIMITS = { allowed: 100_000_000, refused: 1 } as const;
const WARM_UP = 6000;
const REQUESTS = 800;
const TURNS = 20;

/** CPU time of servers per request, for every host, with and without limits. */
export async function http(rounds: number): Promise<HttpResults> {
  const results: HttpResults = {};
  for (const host of Object.keys(hosts) as HostName[]) {
    const all: Map<Variant, HttpFigures>[] = [];
    for (let i = 0; i < rounds; i++) all.push(await round(host));
    results[host] = {};
    for (const variant of all[0]!.keys()) {
      const middle = (of: keyof HttpFigures) => median(all.map((one) => one.get(variant)![of]));
      const figures = { us: middle("us"), added: middle("added") };
      results[host][variant] = figures;
      console.error(`${host}, ${variant}: ${figures.us.toFixed(1)} µs, adds ${figures.added.toFixed(2)} µs`);
    }
  }
  return results;
}

/** Fresh servers for all variants of a host, which then take turns. */
async function round(host: HostName): Promise<Map<Variant, HttpFigures>> {
  const servers = new Map<Variant, Server>();
  try {
    for (const variant of variantsOf(host)) servers.set(variant, await startServer(host, variant));
    for (const [variant, server] of servers) {
      const head = await server.send(WARM_UP);
      if (!head.startsWith(`HTTP/1.1 ${server.status}`)) throw new Error(`${host}, ${variant} answered ${head}`);
    }
    const us = new Map([...servers.keys()].map((variant) => [variant, [] as number[]]));
    for (let turn = 0; turn < TURNS; turn++) {
      const all = [...servers];
      for (let i = 0; i < all.length; i++) {
        const [variant, server] = all[(i + turn) % all.length]!;
        us.get(variant)!.push(await cpuPerRequest(server));
      }
    }
    const bare = us.get("bare")!;
    return new Map(
      [...us].map(([variant, of]) => [variant, { us: median(of), added: median(of.map((one, i) => one - bare[i]!)) }]),
    );
  } finally {
    for (const { worker, close } of servers.values()) {
      close();
      worker.end();
    }
  }
}

function variantsOf(host: HostName): readonly Variant[] {
  const all: readonly Variant[] = ["bare", "peer, allowed", "sluice, allowed", "peer, refused", "sluice, refused"];
  return all.filter((variant) => "peer" in hosts[host] || !variant.startsWith("peer"));
}

async function startServer(host: HostName, variant: Variant): Promise<Server> {
  const [limiting, outcome = "allowed"] = variant.split(", ") as [Limiting, keyof typeof LIMITS | undefined];
  const script = new URL("server-process.ts", import.meta.url);
  const worker = await startWorker(script, [host, limiting, String(LIMITS[outcome])]);
  const load = await openLoad(await worker.ask<number>("port"));
  return { ...load, worker, status: outcome === "refused" ? 429 : 200 };
}

async function cpuPerRequest({ worker, send }: Server): Promise<number> {
  const before = await worker.ask<number>("cpu");
  await send(REQUESTS);
  return ((await worker.ask<number>("cpu")) - before) / REQUESTS;
}
