import { shown } from "../../algorithms/numbers.ts";
import type { Refusal } from "../../answers/text.ts";
import type { Decision } from "../../limiter/decision.ts";
import type { Quota } from "../../limiter/quota.ts";
import type { Store, WhenChanged } from "../../limiter/store.ts";
import type { McpCall } from "../../policy/call.ts";
import type { Overrides } from "../../policy/overrides.ts";
import type { TierOf } from "../../policy/tier.ts";
import type { Wait } from "../../policy/wait.ts";
import type { McpCallEvent, McpCallFollower } from "./follow.ts";
import type { ClientOf } from "./identity.ts";
import type { McpLimits } from "./limits.ts";
import type { LoopOptions } from "./loop-options.ts";
import type { McpResultEvent } from "./results.ts";
import type { TicketOptions } from "./tickets.ts";
import type { McpWaitingEvent } from "./waiting.ts";

/** What one quota says of a call. */
export interface QuotaDecision {
  /** The name of the policy, or of the limit (`"perClient"`, `"tools.search"`), whose quota it is. */
  readonly policy: string;
  readonly quota: Quota;
  readonly decision: Decision;
  /** What is charged: the partition of the quota. */
  readonly key: string;
  /** Units that the call asked for. */
  readonly cost: number;
}

/** One decision on one call, as listeners hear of it. */
export interface McpDecisionEvent {
  readonly call: McpCall;
  /** The key that was charged for the client. */
  readonly client: string;
  /** The client's tier, where it has one. */
  readonly tier?: string | undefined;
  /** `"shadow"`: what a policy on trial says, in an event of its own for each. The call went on whatever it is. */
  readonly mode: "enforce" | "shadow";
  /** The quota that matters most. */
  readonly decision: Decision;
  /** Every quota that the call fell under. */
  readonly decisions: readonly QuotaDecision[];
  /** Of a refusal: what `refusalText` makes words of. */
  readonly refusal?: Refusal | undefined;
  /** How long the call stood in line first, in milliseconds. */
  readonly waitedMs: number;
  /** How long it took to decide, who calls and the store included, the time in line not. In milliseconds. */
  readonly tookMs: number;
}

/** A policy that adapts itself to the server is lowered, or raised again. */
export interface AdaptEvent {
  /** The name of the policy. */
  readonly policy: string;
  /** The part of its limit that holds now. */
  readonly level: number;
}

export interface McpRateLimitOptions extends McpLimits {
  /**
   * Whose limits a call falls under: `undefined` lets it through uncharged.
   *
   * @default the verified principal, else the connection (stdio), else the client's address
   */
  readonly client?: ClientOf;
  /** Which of the `tiers` of policies a call falls under. @default none: the quotas of `"*"` */
  readonly tier?: TierOf;
  /**
   * Where the state lives: give every server of one limit the same store.
   *
   * @default one memory store for the whole process
   */
  readonly store?: Store;
  /** Servers with the same name and store share their limits. @default "mcp" */
  readonly name?: string;
  /**
   * `"shadow"`: all limits are on trial. They count and tell listeners what they would have done, with a state of their
   * own, and refuse nothing. A policy can be on trial by itself.
   *
   * @default "enforce"
   */
  readonly mode?: "enforce" | "shadow";
  /**
   * Let a call that is over a limit wait in line instead of refusing it at once. `true` waits up to
   * 5 s; at most 30 s, because clients give up after 60 s.
   *
   * @default false
   */
  readonly wait?: Wait;
  /**
   * Let calls of clients of 2026-07-28 wait longer than one request can: they are held for a while, and then asked to come again
   * (`input_required`), which the official SDK does by itself. `true` waits up to 16 s, in 8 rounds. Each round that ends without a
   * place is heard of as a refusal.
   *
   * @default false
   */
  readonly tickets?: boolean | TicketOptions;
  /**
   * What becomes of usage when a deploy, or a reload, gives a quota other numbers: it begins anew, or goes on. Of `tiers` it
   * always goes on.
   *
   * @default "fresh"
   */
  readonly whenChanged?: WhenChanged;
  /** Other rates for some clients, for a while: what `createOverrides` gives, over the same store. @default none */
  readonly overrides?: Overrides;
  /**
   * How a refused `tools/call` is answered: as a tool's result with `isError`, which the model reads,
   * or as a JSON-RPC error, which only the client's code sees. Other requests always get an error.
   *
   * @default "result"
   */
  readonly refusal?: "result" | "error";
  /**
   * Code of JSON-RPC errors: an integer outside the ranges that JSON-RPC and MCP reserve
   * (-32768 … -32000), or -32000, which FastMCP uses.
   *
   * @default 429
   */
  readonly errorCode?: number;
  /** Words the refusal in your own way. */
  readonly describe?: (refusal: Refusal, call: McpCall) => string;
  /**
   * Which legs of a multi-round-trip call (`input_required` and its retry) are charged: every one, or
   * only the first. The free leg is one that this gate itself saw asked for, and it is free once.
   *
   * @default "every"
   */
  readonly mrtr?: "every" | "once";
  /**
   * Notice when a client calls a tool again and again with the same arguments and gets the same result: warn, then slow
   * down, then stop, and tell the model so. For each client, in each process.
   *
   * @default false
   */
  readonly loops?: boolean | LoopOptions;
  /**
   * Is told once what came of every call that was let through and falls under a limit, and how long it took. What it throws is reported
   * once and changes nothing. Over HTTP answers above 256 KiB are not looked at.
   */
  readonly onResult?: (event: McpResultEvent) => void;
  /**
   * Is told of every call that may be refused when it comes, whether it falls under limits or not. What it returns hears what becomes
   * of that call; `undefined`: nobody does. For logs such as `sluice/record`. What it throws changes nothing.
   */
  readonly onCall?: (event: McpCallEvent) => McpCallFollower | undefined;
  /** Is told how far a policy with `adapt` is lowered now: 1 is all of its limit. */
  readonly onAdapt?: (event: AdaptEvent) => void;
  /**
   * Is told when a call begins to wait, and once more when that has ended, whatever ended it: in line for a limit, because of a loop,
   * between two rounds. What it throws is reported once and changes nothing.
   */
  readonly onWaiting?: (event: McpWaitingEvent) => void;
  /** Is told of every decision. What it throws is reported once and changes nothing. */
  readonly onDecision?: (event: McpDecisionEvent) => void;
}

/** @throws RangeError for a code that JSON-RPC or MCP reserves. */
export function errorCodeOf(code = 429): number {
  if (Number.isSafeInteger(code) && (code === -32_000 || code < -32_768 || code > -32_000)) return code;
  throw new RangeError(
    `errorCode must be an integer outside -32768 … -32000 (reserved by JSON-RPC and MCP), or -32000, but it is ${shown(code)}.`,
  );
}
