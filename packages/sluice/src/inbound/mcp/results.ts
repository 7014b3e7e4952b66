import type { Clock } from "../../limiter/clock.ts";
import type { McpCall } from "../../policy/call.ts";
import type { Rule } from "../../policy/rule.ts";
import type { Admission } from "./admission.ts";
import type { JsonRpcRequest } from "./types.ts";

/** What came of a call that was let through. */
export interface McpResultEvent {
  readonly call: McpCall;
  /** The key of the client. */
  readonly client: string;
  readonly tier?: string | undefined;
  /** From the decision, waiting included, to the answer. In milliseconds. */
  readonly durationMs: number;
  /** A result; a result of a tool that says that it failed (`isError`); a JSON-RPC error; or no answer at all. */
  readonly outcome: "result" | "tool_error" | "error" | "no_answer";
  /** Of a JSON-RPC error. */
  readonly errorCode?: number | undefined;
}

/** A call that runs, and who wants to know what comes of it. */
interface Expected {
  readonly call: McpCall;
  /** Missing when it falls under no limit. */
  readonly client?: string | undefined;
  readonly tier?: string | undefined;
  readonly rules: readonly Rule[];
  readonly admission: Admission;
  /** When it asked to be let through. */
  readonly since: number;
}

/** Hears what comes of calls, for limits that depend on it and for listeners. */
export interface Results {
  /** The time now, for `since`. */
  now(): number;
  expect(request: JsonRpcRequest, expected: Expected): void;
  /** @param result or the error */
  saw(request: JsonRpcRequest, result: unknown): void;
  failed(request: JsonRpcRequest, retryAfterMs?: number): void;
}

export interface ResultsOptions {
  readonly rules: readonly Rule[];
  readonly clock: Clock;
  readonly onResult: ((event: McpResultEvent) => void) | undefined;
}

/** JSON-RPC: the server itself failed. Other errors and results with `isError` are what clients can bring about as they like. */
const INTERNAL_ERROR = -32_603;

/** `undefined` when nobody wants to know. */
export function resultsOf({ rules, clock, onResult }: ResultsOptions): Results | undefined {
  if (onResult === undefined && !rules.some(({ settles, adaptation }) => settles || adaptation !== undefined))
    return undefined;
  const running = new WeakMap<JsonRpcRequest, Expected>();

  function ended(
    request: JsonRpcRequest,
    outcome: McpResultEvent["outcome"],
    errorCode?: number,
  ): Expected | undefined {
    const expected = running.get(request);
    if (expected === undefined) return undefined;
    running.delete(request);
    const { call, client, tier, rules: own, since } = expected;
    const durationMs = (clock.elapsed() - since) / 1000;
    const isFailure = outcome === "no_answer" || errorCode === INTERNAL_ERROR;
    for (const { adaptation } of own) adaptation?.saw(durationMs, isFailure);
    if (client !== undefined) onResult?.({ call, client, tier, durationMs, outcome, errorCode });
    return expected;
  }

  return {
    now: () => clock.elapsed(),
    expect: (request, expected) => void running.set(request, expected),
    saw(request, result) {
      const { code, message, isError } = (result ?? {}) as { code?: unknown; message?: unknown; isError?: unknown };
      const errorCode = typeof code === "number" && typeof message === "string" ? code : undefined;
      const outcome = errorCode !== undefined ? "error" : isError === true ? "tool_error" : "result";
      const expected = ended(request, outcome, errorCode);
      expected?.admission.settle?.(expected.call, result);
    },
    failed(request, retryAfterMs = 0) {
      const expected = ended(request, "no_answer");
      if (retryAfterMs > 0) for (const { adaptation } of expected?.rules ?? []) adaptation?.rest(retryAfterMs);
    },
  };
}
