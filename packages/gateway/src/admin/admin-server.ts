import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Overrides } from "sluice/mcp";
import { CallTextError, requestOf } from "../call-text.ts";
import type { Policies } from "../config/policies.ts";
import { explanationData } from "../explained.ts";
import type { Logger } from "../log.ts";
import { overrideOf } from "../override-text.ts";
import { readBody } from "../proxy/http/read-body.ts";
import { type ClientTable, ORDERS, type Order } from "./clients.ts";

export interface AdminOptions {
  readonly policies: Policies;
  readonly overrides: Overrides;
  /** Who calls. */
  readonly clients: ClientTable;
  readonly log: Logger;
  /** Without one, what needs it is refused. */
  readonly token: string | undefined;
  /** Reads the policy file; false: it is bad. Undefined: there is no file. */
  reload: (() => boolean) | undefined;
  /** What is not ready yet, or any more; empty: all is. */
  problems(): Promise<readonly string[]>;
}

const MOST_BYTES = 65_536;
const PATIENCE_MS = 10_000;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i;

/** An answer: a status, and what becomes JSON. */
type Answer = readonly [status: number, body: object];

/**
 * What operators and their programs ask of a gateway: whether it lives and is ready, its policies, what would become of a
 * call, to forget, to reload. Bound to loopback; a bearer token for whatever shows keys or changes anything.
 */
export function adminServer({ policies, overrides, clients, log, token, reload, problems }: AdminOptions): Server {
  const routes: Record<
    string,
    { readonly isOpen?: boolean; answer(body: any, query: URLSearchParams): Promise<Answer> | Answer }
  > = {
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
    "GET /api/v1/policies": { answer: () => [200, { version: policies.version, config: policies.config }] },
    "POST /api/v1/decisions": {
      async answer({ call, ...origin }) {
        return [200, explanationData(await policies.current.explain(requestOf(call), originOf(origin)))];
      },
    },
    "POST /api/v1/reset": {
      async answer({ call, ...origin }) {
        const forgotten = await policies.current.forget(requestOf(call), originOf(origin));
        log.info({ client: originOf(origin).connection }, "limits were reset through the admin API");
        return [200, { reset: forgotten.map(({ quota, ...one }) => ({ ...one, quota: quota.name })) }];
      },
    },
    "GET /api/v1/clients": {
      answer(_body, query) {
        const by = query.get("by") ?? "calls";
        const count = Number(query.get("top") ?? 20);
        if (!isOrder(by)) return [400, { error: `by is one of ${ORDERS.join(", ")}.` }];
        if (!(Number.isInteger(count) && count > 0)) return [400, { error: "top is a whole number above 0." }];
        return [200, { now: Date.now(), known: clients.size, clients: clients.top(count, by) }];
      },
    },
    "GET /api/v1/overrides": { answer: async () => [200, { overrides: await overrides.list() }] },
    "POST /api/v1/overrides": {
      async answer(given) {
        await overrides.set(overrideOf(given));
        log.info(given, "an override was set through the admin API");
        return [200, { overrides: await overrides.list() }];
      },
    },
    "DELETE /api/v1/overrides": {
      async answer({ limit, client }) {
        const isRemoved = await overrides.remove({ limit, client });
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
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { method = "", url = "/", headers } = request;
    if (!LOOPBACK.test(headers.host ?? "")) return [421, { error: "The admin API is asked as localhost." }];
    const { origin } = headers;
    if (origin !== undefined && origin !== `http://${headers.host}`)
      return [403, { error: "Another page may not ask this." }];
    const [path = "/", search = ""] = url.split("?", 2);
    const route = routes[`${method} ${path}`];
    if (route === undefined) {
      const allowed = Object.keys(routes).filter((one) => one.endsWith(` ${path}`));
      if (allowed.length === 0) return [404, { error: "There is nothing here.", routes: Object.keys(routes) }];
      response.setHeader("Allow", allowed.map((one) => one.split(" ")[0]).join(", "));
      return [405, { error: `${method} is not for this.` }];
    }
    if (!route.isOpen && !isAuthorized(headers.authorization)) {
      response.setHeader("WWW-Authenticate", "Bearer");
      const why =
        token === undefined
          ? "It has no token: start the gateway with SLUICE_ADMIN_TOKEN."
          : "Send it as a bearer token.";
      return [401, { error: `This needs the admin token. ${why}` }];
    }
    const query = new URLSearchParams(search);
    if (method === "GET") return route.answer(undefined, query);
    const body = await readBody(request, MOST_BYTES, PATIENCE_MS);
    if (typeof body === "string") return [413, { error: `A body has at most ${MOST_BYTES} bytes here.` }];
    try {
      return await route.answer(body.length === 0 ? {} : JSON.parse(body.toString()), query);
    } catch (error) {
      if ([SyntaxError, CallTextError, TypeError, RangeError].some((one) => error instanceof one)) {
        return [400, { error: (error as Error).message }];
      }
      throw error;
    }
  }

  /** By their hashes, so that the time tells nothing about the token. */
  function isAuthorized(given: string | undefined): boolean {
    if (token === undefined || given === undefined) return false;
    const hash = (text: string) => createHash("sha256").update(text).digest();
    return timingSafeEqual(hash(given), hash(`Bearer ${token}`));
  }

  return createServer({ requestTimeout: PATIENCE_MS }, (request, response) => {
    serve(request, response)
      .catch((error: unknown): Answer => {
        log.error({ err: error }, "the admin API failed");
        return [500, { error: "The gateway failed." }];
      })
      .then(([status, body]) => {
        const text = `${JSON.stringify(body)}\n`;
        const headers = {
          "Content-Type": "application/json",
          "Cache-Control": "no-store",
          "X-Content-Type-Options": "nosniff",
        };
        response.writeHead(status, headers).end(text);
      });
  });
}

const isOrder = (text: string): text is Order => (ORDERS as readonly string[]).includes(text);

/** Whose call it is: a client by its key, or an address. */
function originOf({ client, address }: { client?: unknown; address?: unknown }) {
  return {
    ...(typeof client === "string" && client !== "" && { connection: client }),
    ...(typeof address === "string" && { address }),
  };
}
