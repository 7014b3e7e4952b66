import { shown, wholeNumber } from "../../algorithms/numbers.ts";
import type { Clock } from "../../limiter/clock.ts";
import { milliseconds } from "../../limiter/duration.ts";
import type { McpCall } from "../../policy/call.ts";
import { fingerprintOf } from "./same.ts";

/**
 * Waiting in rounds, for clients of 2026-07-28: a call that is over a limit is held for a while, then the client is asked to come again
 * (`input_required`, which its SDK does by itself), with a ticket that says how long it has waited.
 */
export interface TicketOptions {
  /** Signs tickets. Processes that serve the same clients need the same one. @default a random one of this process */
  readonly secret?: string;
  /** How long a round is held before the client is asked to come again, in milliseconds. @default 2_000 */
  readonly holdMs?: number;
  /** After so many the call is refused; the official clients give up after 10. @default 8 */
  readonly maxRounds?: number;
}

/** How long a call has waited in rounds. */
interface Leg {
  /** 0: it comes for the first time. */
  readonly round: number;
  /** When it came for the first time, in milliseconds since 1970. */
  readonly since: number;
}

export interface Tickets {
  readonly holdMs: number;
  /** Whether a call can wait in rounds. */
  suits(call: McpCall): boolean;
  /** What the ticket says that a call comes with. One that is not good says that it has waited enough. */
  read(call: McpCall, client: string): Promise<Leg>;
  /** Whether a call may come again that could pass after so long. */
  mayComeAgain(leg: Leg, retryAfterMs: number): boolean;
  write(call: McpCall, client: string, leg: Leg): Promise<string>;
}

const MODERN = "2026-07-28";
const VERSION = "io.modelcontextprotocol/protocolVersion";
/** Methods that may be answered with `input_required` (MCP 2026-07-28, multi-round-trip requests). */
const METHODS = new Set(["tools/call", "prompts/get", "resources/read"]);
/** No state of a server begins so: it is passed to no server. */
const PREFIX = "sluice-ticket.";
const FORM = /^sluice-ticket\.(\d{1,3})\.(\d{1,16})\.([\w-]{22})$/;
/** The signature's first 128 bits. */
const SIGNATURE_LENGTH = 22;

/** The ticket that a call comes with. */
export function ticketOf({ params: { requestState } }: Pick<McpCall, "params">): string | undefined {
  return typeof requestState === "string" && requestState.startsWith(PREFIX) ? requestState : undefined;
}

/** The text of a request without its ticket, character by character as it was otherwise. */
export function withoutTicket(text: string, ticket: string): string {
  const member = `"requestState"\\s*:\\s*"${ticket.replaceAll(/[^\w-]/g, "\\$&")}"`;
  return text.replace(new RegExp(`,\\s*${member}|${member}\\s*,?`, "g"), "");
}

/** @throws RangeError, TypeError for what cannot be */
export function ticketsOf(options: true | TicketOptions, clock: Clock): Tickets {
  if (typeof options !== "object" && options !== true) {
    throw new TypeError(`tickets is true or { secret, holdMs, maxRounds }, but it is ${shown(options)}.`);
  }
  const { secret, holdMs = 2_000, maxRounds = 8 } = options === true ? {} : options;
  milliseconds("tickets.holdMs", holdMs, 100);
  if (holdMs > 30_000) throw new RangeError(`tickets.holdMs must be at most 30000, but it is ${holdMs}.`);
  wholeNumber("tickets.maxRounds", maxRounds, 1);
  if (secret !== undefined && (typeof secret !== "string" || secret.length < 16)) {
    throw new RangeError("tickets.secret is a text of at least 16 characters.");
  }
  const bytes = secret === undefined ? crypto.getRandomValues(new Uint8Array(32)) : new TextEncoder().encode(secret);
  const key = crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const now = () => Math.floor(clock.wall() / 1000);
  /** A client that needs so much longer than its rounds take has let its ticket run out. */
  const lifetimeMs = 10 * holdMs * maxRounds;
  const enough = (): Leg => ({ round: maxRounds, since: now() });

  async function signature({ method, params }: McpCall, client: string, { round, since }: Leg): Promise<string> {
    const { name, uri, arguments: args } = params;
    const text = JSON.stringify([client, method, name ?? uri ?? null, fingerprintOf(args), round, since]);
    const signed = await crypto.subtle.sign("HMAC", await key, new TextEncoder().encode(text));
    const base64 = btoa(String.fromCharCode(...new Uint8Array(signed)));
    return base64.replaceAll("+", "-").replaceAll("/", "_").slice(0, SIGNATURE_LENGTH);
  }

  return {
    holdMs,

    suits({ method, params }) {
      const version = (params._meta as { readonly [VERSION]?: unknown } | undefined)?.[VERSION];
      if (!METHODS.has(method) || typeof version !== "string" || version < MODERN) return false;
      // What a client answers to a server's question goes to that server, and would not come a second time.
      return (
        params.inputResponses === undefined && (params.requestState === undefined || ticketOf({ params }) !== undefined)
      );
    },

    async read(call, client) {
      const ticket = ticketOf(call);
      if (ticket === undefined) return { round: 0, since: now() };
      const [, round, since, signed] = FORM.exec(ticket) ?? [];
      if (signed === undefined) return enough();
      const leg: Leg = { round: Number(round), since: Number(since) };
      const isGood = signed === (await signature(call, client, leg)) && now() - leg.since <= lifetimeMs;
      return isGood ? leg : enough();
    },

    mayComeAgain: ({ round }, retryAfterMs) => round < maxRounds && retryAfterMs <= holdMs * (maxRounds - round),

    async write(call, client, { round, since }) {
      const leg = { round: round + 1, since };
      return `${PREFIX}${leg.round}.${since}.${await signature(call, client, leg)}`;
    },
  };
}
