import type { Overrides } from "sluice/mcp";
import { requestOf } from "../call-text.ts";
import type { Policies } from "../config/policies.ts";
import { explanationData } from "../explained.ts";
import { overrideOf } from "../override-text.ts";
import type { UpstreamLoad } from "../proxy/http/watched-upstream.ts";
import { candidateOf } from "./candidate.ts";
import { ORDERS, type Order } from "./clients.ts";
import type { Live } from "./live/live.ts";

/** Hears of actions of operators, and of failures. */
export interface AdminLog {
  info(about: object, text: string): void;
  error(about: object, text: string): void;
}

export interface RouteOptions {
  readonly policies: Policies;
  readonly overrides: Overrides;
  readonly live: Live;
  readonly log: AdminLog;
  /** Reads the policy file; false: it is bad. Undefined: there is no file. */
  reload: (() => boolean) | undefined;
  /** What is not ready yet, or any more; empty: all is. */
  problems(): Promise<readonly string[]>;
  /** Where it stands: what was said when it started, and what the servers behind say now. */
  status(): Promise<StatusData>;
  /** What Prometheus reads. @default nothing */
  readonly metrics?: { text(): Promise<string>; readonly contentType: string };
}

/** Where a gateway stands. Times are in milliseconds since 1970. */
export interface StatusData {
  readonly now: number;
  readonly startedAt: number;
  /** Of the policies: 1 for the first, one more with each reload. */
  readonly version: number;
  readonly mode: "enforce" | "shadow";
  readonly file?: string | undefined;
  readonly store: string;
  readonly lastReload?: { readonly at: number; readonly ok: boolean } | undefined;
  /** The version of Sluice. */
  readonly sluice: string;
  /** What is not as it should be; empty: all is. */
  readonly problems: readonly string[];
  readonly upstreams: readonly UpstreamData[];
  /** Policies that adapt themselves to the server, and the part of their limit that holds now. */
  readonly adapted: Readonly<Record<string, number>>;
}

/** A server behind, or an API that it calls. */
export interface UpstreamData extends Partial<UpstreamLoad> {
  readonly name: string;
  readonly path?: string;
  readonly problem?: string;
  /** Calls that stand in line for it. */
  readonly waiting?: number;
  /** Of a circuit breaker: `closed`, `open`, `half-open`. */
  readonly breaker?: string;
  /** The part of its full rate that is used, after refusals. */
  readonly rate?: number;
}

/** An answer: a status, and what becomes JSON; or a text and its type. */
export type Answer = readonly [status: number, body: object] | readonly [status: number, body: string, type: string];

export interface Route {
  /** Whether it needs no token. */
  readonly isOpen?: boolean;
  /** Whether it is the stream of events. */
  readonly stream?: true;
  answer(body: any, query: URLSearchParams): Promise<Answer> | Answer;
}

/** What can be asked of a gateway, by method and path. */
export function routesOf(options: RouteOptions): Readonly<Record<string, Route>> {
  const { policies, overrides, live, log, reload, problems, status, metrics } = options;
  return {
    "GET /healthz": { isOpen: true, answer: () => [200, { status: "ok" }] },
    "GET /readyz": {
      isOpen: true,
      async answer() {
        const found = await problems();
        const { version } = policies;
        return found.length === 0
          ? [200, { status: "ready", version }]
          : [503, { status: "not ready", version, problems: found }];
      },
    },
    ...(metrics && {
      "GET /metrics": { isOpen: true, answer: async () => [200, await metrics.text(), metrics.contentType] },
    }),
    "GET /api/v1/policies": { answer: () => [200, { version: policies.version, config: policies.config }] },
    "POST /api/v1/decisions": {
      async answer({ call, ...origin }) {
        const request = requestOf(call);
        const { current } = policies;
        return [200, explanationData(current, request, await current.explain(request, originOf(origin)))];
      },
    },
    "POST /api/v1/reset": {
      async answer({ call, ...origin }) {
        const forgotten = await policies.current.forget(requestOf(call), originOf(origin));
        const client = originOf(origin).connection;
        const limits = [...new Set(forgotten.map(({ policy }) => policy))];
        if (limits.length > 0) live.changes.add({ kind: "reset", client, limits });
        log.info({ client }, "limits were reset through the admin API");
        return [200, { reset: forgotten.map(({ quota, ...one }) => ({ ...one, quota: quota.name })) }];
      },
    },
    "GET /api/v1/clients": {
      answer(_body, query) {
        const by = query.get("by") ?? "calls";
        const count = Number(query.get("top") ?? 20);
        if (!isOrder(by)) return [400, { error: `by is one of ${ORDERS.join(", ")}.` }];
        if (!(Number.isInteger(count) && count > 0)) return [400, { error: "top is a whole number above 0." }];
        return [200, { now: Date.now(), known: live.clients.size, clients: live.clients.top(count, by) }];
      },
    },
    "GET /api/v1/overrides": { answer: async () => [200, { overrides: await overrides.list() }] },
    "POST /api/v1/overrides": {
      async answer(given) {
        const override = overrideOf(given);
        await overrides.set(override);
        const { limit, client, quota } = override;
        live.changes.add({ kind: "override", limit, client, quota: String(quota) });
        log.info(given, "an override was set through the admin API");
        return [200, { overrides: await overrides.list() }];
      },
    },
    "DELETE /api/v1/overrides": {
      async answer({ limit, client }) {
        const isRemoved = await overrides.remove({ limit, client });
        if (isRemoved) live.changes.add({ kind: "taken-back", limit, client });
        log.info({ limit, client, isRemoved }, "an override was removed through the admin API");
        return [isRemoved ? 200 : 404, { overrides: await overrides.list() }];
      },
    },
    "POST /api/v1/config/reload": {
      answer() {
        if (reload === undefined)
          return [409, { error: "There is no policy file to read: the limits are those of the command line." }];
        return reload()
          ? [200, { version: policies.version }]
          : [422, { error: "The file is bad, and the last good one stays. The log says what is wrong." }];
      },
    },
    "GET /api/v1/status": { answer: async () => [200, await status()] },
    "GET /api/v1/series": {
      answer(_body, query) {
        const since = Number(query.get("since") ?? 0);
        return [200, { now: Date.now(), stepMs: 1_000, points: live.counts.series(since) }];
      },
    },
    "GET /api/v1/changes": { answer: () => [200, { now: Date.now(), changes: live.changes.list() }] },
    "GET /api/v1/tools": { answer: () => [200, { now: Date.now(), tools: live.counts.tools() }] },
    "GET /api/v1/limits": {
      answer: () => [200, { now: Date.now(), limits: live.counts.limits(policies.current.limits) }],
    },
    "GET /api/v1/history": {
      answer(_body, query) {
        const found = live.histories.find(limitIn(query), SHOWN_KEYS);
        return found === undefined ? [404, { error: "No call has met this limit yet." }] : [200, found];
      },
    },
    "GET /api/v1/candidate": {
      answer(_body, query) {
        const { policy, rate, mode } = limitIn(query);
        const known = policies.current.limits.find(
          (one) => one.policy === policy && one.quota.text === rate && one.mode === mode,
        );
        if (known === undefined) return [404, { error: "There is no such limit in the policies." }];
        return [200, candidateOf(policies.config, known, Number(query.get("limit")))];
      },
    },
    "GET /api/v1/events": { stream: true, answer: () => [200, {}] },
  };
}

/** Those who ask most are enough to see what a limit would do. */
const SHOWN_KEYS = 200;

/** Which limit: its policy, and what its quota is called and says. */
function limitIn(query: URLSearchParams) {
  const [policy = "", quota = "", rate = ""] = ["policy", "quota", "rate"].map((name) => query.get(name) ?? "");
  return { policy, quota, rate, mode: query.get("mode") === "shadow" ? "shadow" : "enforce" } as const;
}

const isOrder = (text: string): text is Order => (ORDERS as readonly string[]).includes(text);

/** Whose call it is: a client by its key, or an address. */
function originOf({ client, address }: { client?: unknown; address?: unknown }) {
  return {
    ...(typeof client === "string" && client !== "" && { connection: client }),
    ...(typeof address === "string" && { address }),
  };
}
