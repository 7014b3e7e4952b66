import type { RequestListener } from "node:http";
import { createMcpGate, type createOverrides, type McpDecisionEvent, type McpRateLimitOptions } from "sluice/mcp";
import type { Upstream } from "sluice/outbound";
import { adminListener } from "./admin/admin-server.ts";
import { live } from "./admin/live/live.ts";
import type { AdminLog, UpstreamData } from "./admin/routes.ts";
import type { Config } from "./config/schema.ts";
import { version } from "./version.ts";

export interface LivePageOptions {
  /**
   * What the server's limits are made of. The page has a gate of its own over the same store and name, which says what would become of a call
   * and forgets what was used.
   */
  readonly limits: McpRateLimitOptions;
  /** What who looks has to enter. At least 16 characters. */
  readonly token: string;
  /** The path under which it is mounted. @default "/" */
  readonly path?: string;
  /** What the store is called on the page. @default "memory" */
  readonly store?: string;
  /** APIs that the server calls: their lines, breakers and rates are shown. @default none */
  readonly upstreams?: readonly Upstream[];
  /** Hears of actions and failures. @default nobody does */
  readonly log?: AdminLog;
}

/** The live page of a server that limits itself. */
export interface LivePage {
  /** Serves it and what it asks for, below its path. It answers only to names of this machine, as the gateway's does. */
  readonly listener: RequestListener;
  /** Whether a request is for it. */
  isFor(url: string | undefined): boolean;
  /** Hears every decision: what `onDecision` of the server's limits calls. */
  saw(event: McpDecisionEvent): void;
}

const SHORTEST_TOKEN = 16;

/**
 * The live page of the gateway in a server of your own.
 *
 * @throws RangeError for a token that can be guessed, or a path that is none
 */
export function livePage({
  limits,
  token,
  path = "/",
  store = "memory",
  upstreams = [],
  log,
}: LivePageOptions): LivePage {
  if (token.length < SHORTEST_TOKEN) {
    throw new RangeError(
      `The token of the live page has at least ${SHORTEST_TOKEN} characters, but it has ${token.length}.`,
    );
  }
  if (!/^\/([\w.-]+(\/[\w.-]+)*\/?)?$/.test(path)) {
    throw new RangeError(`The path of the live page is such as "/dashboard", but it is ${JSON.stringify(path)}.`);
  }
  const base = path.replace(/\/$/, "");
  const { onDecision: _, onResult: __, ...rest } = limits;
  const gate = createMcpGate(rest);
  const happening = live(() => gate);
  // What the page words of limits, it words of those that a policy file could have.
  const config = limits as unknown as Config;
  const listener = adminListener({
    policies: { current: gate, config, version: 1, replace() {} },
    overrides: limits.overrides ?? NO_OVERRIDES,
    live: happening,
    log: log ?? SILENT,
    token,
    reload: undefined,
    problems: async () => [],
    status: async () => ({
      now: Date.now(),
      startedAt: happening.startedAt,
      version: 1,
      mode: limits.mode ?? "enforce",
      store,
      sluice: version,
      problems: [],
      upstreams: upstreams.map(aboutUpstream),
      adapted: {},
    }),
  });
  return {
    saw: happening.saw,
    isFor: (url = "/") => url === base || url.startsWith(`${base}/`) || url.startsWith(`${base}?`),
    listener(request, response) {
      const { url = "/" } = request;
      const below = url.slice(base.length);
      if (!below.startsWith("/")) {
        // What the page asks for is relative to it.
        response.writeHead(308, { Location: `${base}/`, "Content-Length": 0 }).end();
        return;
      }
      request.url = below;
      listener(request, response);
    },
  };
}

function aboutUpstream(upstream: Upstream): UpstreamData {
  const { running, waiting, started, refused, rate, breaker } = upstream.stats();
  const about = { name: upstream.name, running, waiting, answered: started, failed: refused, rate };
  return breaker === undefined ? about : { ...about, breaker: breaker.state };
}

const SILENT: AdminLog = { info() {}, error() {} };

/** The page shows that there are none, and says why none can be set. */
const NO_OVERRIDES = {
  refresh() {},
  list: async () => [],
  set: async () => {
    throw new TypeError(
      "This server has no overrides: give its limits, and the live page, createOverrides({ store }).",
    );
  },
  remove: async () => false,
  find: () => undefined,
  blockedUntil: () => undefined,
  close() {},
} satisfies ReturnType<typeof createOverrides>;
