import { median, medianRatio } from "../statistics.ts";
import { startWorker, type Worker } from "../worker.ts";
import type { What } from "./http-process.ts";
import { openPosts, type Posts } from "./posts.ts";
import { type StdioFigures, stdio } from "./stdio.ts";

/** CPU time per `tools/call` in microseconds, of all processes but the client. */
export interface GatewayResults {
  readonly http: {
    /** A server of the official SDK: by itself, and with the gateway in front of it. */
    readonly sdk: {
      readonly direct: number;
      readonly behind: number;
      readonly ratio: number;
      /** The same with a byte proxy in the gateway's place, × the server by itself: no proxy on `node:http` takes less. */
      readonly byteProxyRatio: number;
    };
    /** Proxies alone, in front of a server that does next to nothing. */
    readonly proxies: Record<"byte proxy" | "sluice" | "mcp-proxy", number>;
    readonly toByteProxy: number;
    readonly toMcpProxy: number;
  };
  readonly stdio: StdioFigures;
  /** Decisions with a thousand policies and ten thousand overrides, × those with one policy. */
  readonly policies: { readonly few: number; readonly many: number; readonly ratio: number };
}

const script = new URL("http-process.ts", import.meta.url);
const WARM_UP = 3_000;
const REQUESTS = 600;
const TURNS = 12;

export async function gateway(): Promise<GatewayResults> {
  const results = { http: await http(), stdio: await stdio(), policies: await policies() };
  console.error(JSON.stringify(results, undefined, 2));
  return results;
}

/** A process that is asked, and what posts to it. */
interface Running {
  readonly worker: Worker;
  readonly url: string;
}

async function start(what: What, upstream?: Running): Promise<Running> {
  const worker = await startWorker(script, upstream === undefined ? [what] : [what, upstream.url]);
  return { worker, url: `http://127.0.0.1:${await worker.ask<number>("port")}/mcp` };
}

async function http(): Promise<GatewayResults["http"]> {
  const [stub, sdk] = [await start("stub"), await start("sdk")];
  const proxies = {
    "byte proxy": await start("byte proxy", stub),
    sluice: await start("sluice", stub),
    "mcp-proxy": await start("mcp-proxy"),
  };
  const before = await start("sluice", sdk);
  const bare = await start("byte proxy", sdk);
  const all = [stub, sdk, before, bare, ...Object.values(proxies)];
  try {
    const direct = await contender(sdk, [sdk]);
    const behind = await contender(before, [before, sdk]);
    const behindBare = await contender(bare, [bare, sdk]);
    const alone = {
      "byte proxy": await contender(proxies["byte proxy"], [proxies["byte proxy"]]),
      sluice: await contender(proxies.sluice, [proxies.sluice]),
      "mcp-proxy": await contender(proxies["mcp-proxy"], [proxies["mcp-proxy"]], true),
    };
    for (let turn = 0; turn < TURNS; turn++) {
      for (const one of [direct, behind, behindBare, ...Object.values(alone)]) await one.turn();
    }
    const ours = alone.sluice.us;
    return {
      sdk: {
        direct: median(direct.us),
        behind: median(behind.us),
        ratio: medianRatio(behind.us, direct.us),
        byteProxyRatio: medianRatio(behindBare.us, direct.us),
      },
      proxies: {
        "byte proxy": median(alone["byte proxy"].us),
        sluice: median(ours),
        "mcp-proxy": median(alone["mcp-proxy"].us),
      },
      toByteProxy: medianRatio(ours, alone["byte proxy"].us),
      toMcpProxy: medianRatio(ours, alone["mcp-proxy"].us),
    };
  } finally {
    for (const { worker } of all) worker.end();
  }
}

/** CPU time of some processes per request to one of them, turn by turn. */
async function contender({ url }: Running, measured: readonly Running[], hasSessions = false) {
  const posts: Posts = await openPosts(url, hasSessions);
  await posts.send(WARM_UP);
  const us: number[] = [];
  const cpu = async () => {
    let sum = 0;
    for (const { worker } of measured) sum += await worker.ask<number>("cpu");
    return sum;
  };
  return {
    us,
    async turn() {
      const begin = await cpu();
      await posts.send(REQUESTS);
      us.push(((await cpu()) - begin) / REQUESTS);
    },
  };
}

async function policies(): Promise<GatewayResults["policies"]> {
  const worker = await startWorker(new URL("policies-process.ts", import.meta.url), []);
  const us = { few: [] as number[], many: [] as number[] };
  try {
    for (let turn = 0; turn < TURNS; turn++) {
      for (const gate of ["few", "many"] as const) us[gate].push(await worker.ask({ gate, calls: 50_000 }));
    }
  } finally {
    worker.end();
  }
  return { few: median(us.few), many: median(us.many), ratio: medianRatio(us.many, us.few) };
}
