import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

/** What a browser has to be told beside an answer so that its page may read it. */
export interface Cors {
  /** The upstream has answered a request from an origin: what it says of origins is remembered. */
  learn(request: IncomingMessage, answer: IncomingHttpHeaders): void;
  /** The same fields, for an answer that the upstream never sees. */
  fieldsFor(request: IncomingMessage): readonly string[];
}

const MAX_ORIGINS = 1_000;
const COPIED = ["access-control-allow-origin", "access-control-allow-credentials", "vary"] as const;

/**
 * Refusals need the headers that the upstream would have sent, and only the upstream knows whom it lets read. A browser
 * asks it before its first request with JSON (a preflight), so what it says is known by then.
 */
export function rememberedCors(): Cors {
  const byOrigin = new Map<string, readonly string[]>();
  return {
    learn({ headers: { origin } }, headers) {
      if (origin === undefined) return;
      const allowed = headers["access-control-allow-origin"];
      byOrigin.delete(origin);
      if (allowed !== "*" && allowed !== origin) return;
      if (byOrigin.size >= MAX_ORIGINS) byOrigin.delete(byOrigin.keys().next().value!);
      const fields = COPIED.flatMap((name) => (typeof headers[name] === "string" ? [name, headers[name]] : []));
      byOrigin.set(origin, [...fields, "access-control-expose-headers", "Retry-After, Mcp-Session-Id"]);
    },
    fieldsFor: ({ headers: { origin } }) => (origin === undefined ? [] : (byOrigin.get(origin) ?? [])),
  };
}
