import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { CallTextError } from "../call-text.ts";
import { readBody } from "../proxy/http/read-body.ts";
import { sendEvents } from "./live/events.ts";
import { keyPartsOf } from "./live/key-parts.ts";
import { type PageFiles, pageFiles, sendPage } from "./page-files.ts";
import { type Answer, type RouteOptions, routesOf } from "./routes.ts";

export interface AdminOptions extends RouteOptions {
  /** Without one, what needs it is refused. */
  readonly token: string | undefined;
}

const MOST_BYTES = 65_536;
const PATIENCE_MS = 10_000;
/** Another process or machine is never called so. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i;
/** Addresses, and names without a dot: no name that a page could have rebound. */
const NEVER_REBOUND = /^(\d+(\.\d+){3}|\[[\da-f:.]+\]|[a-z\d-]+)(:\d+)?$/i;

/**
 * What operators and their programs ask of a gateway: whether it lives and is ready, its policies, what would become of a
 * call, to forget, to reload; and the live page, which asks all that of it. Bound to loopback; a bearer token for whatever shows keys or
 * changes anything.
 */
export function adminServer(options: AdminOptions): Server {
  return createServer({ requestTimeout: PATIENCE_MS }, adminListener(options));
}

/** The same, to be mounted in a server: paths are those below its own. */
export function adminListener(options: AdminOptions): RequestListener {
  const { log, token, policies, live } = options;
  const routes = routesOf(options);
  let page: PageFiles | undefined;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> {
    const { method = "", url = "/", headers } = request;
    const { host = "" } = headers;
    // Whoever scrapes is on another machine where the operator lets it listen there.
    if (!LOOPBACK.test(host) && !(url === "/metrics" && NEVER_REBOUND.test(host)))
      return [421, { error: "The admin API is asked as localhost." }];
    const { origin } = headers;
    if (origin !== undefined && origin !== `http://${headers.host}`)
      return [403, { error: "Another page may not ask this." }];
    const [path = "/", search = ""] = url.split("?", 2);
    if (method === "GET" || method === "HEAD") {
      page ??= pageFiles();
      const file = page.find(path);
      if (file !== undefined) {
        sendPage(request, response, file);
        return undefined;
      }
    }
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
    if (route.stream !== undefined) {
      const after = Number(headers["last-event-id"] ?? Number.NaN);
      sendEvents(response, {
        live,
        keyPartsOf: keyPartsOf(policies.config),
        after: Number.isInteger(after) ? after : undefined,
      });
      return undefined;
    }
    const body = method === "GET" ? Buffer.alloc(0) : await readBody(request, MOST_BYTES, PATIENCE_MS);
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

  return (request, response) => {
    serve(request, response)
      .catch((error: unknown): Answer => {
        log.error({ err: error }, "the admin API failed");
        return [500, { error: "The gateway failed." }];
      })
      .then((answer) => {
        // Whoever streams has begun.
        if (answer === undefined) return;
        const [status, body, type = "application/json"] = answer;
        const text = typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
        const headers = {
          "Content-Type": type,
          "Cache-Control": "no-store",
          "X-Content-Type-Options": "nosniff",
        };
        response.writeHead(status, headers).end(text);
      });
  };
}
