import type { Clock } from "../../limiter/clock.ts";
import type { McpCall } from "../../policy/call.ts";
import type { Rule } from "../../policy/rule.ts";
import type { Admission } from "./admission.ts";
import type { JsonRpcRequest } from "./types.ts";

/** A call that runs, and who wants to know what comes of it. */
interface Expected {
  readonly call: McpCall;
  readonly rules: readonly Rule[];
  readonly admission: Admission;
}

/** Hears what comes of calls, for limits that depend on it. */
export interface Results {
  expect(request: JsonRpcRequest, expected: Expected): void;
  /** @param result or the error */
  saw(request: JsonRpcRequest, result: unknown): void;
  failed(request: JsonRpcRequest, retryAfterMs?: number): void;
}

/** JSON-RPC: the server itself failed. Other errors and results with `isError` are what clients can bring about as they like. */
const INTERNAL_ERROR = -32_603;

/** `undefined` when no limit depends on results. */
export function resultsOf(rules: readonly Rule[], clock: Clock): Results | undefined {
  if (!rules.some(({ settles, adaptation }) => settles || adaptation !== undefined)) return undefined;
  const running = new WeakMap<JsonRpcRequest, Expected & { readonly since: number }>();

  function ended(request: JsonRpcRequest, isFailure: boolean): (Expected & { readonly since: number }) | undefined {
    const expected = running.get(request);
    if (expected === undefined) return undefined;
    running.delete(request);
    const durationMs = (clock.elapsed() - expected.since) / 1000;
    for (const { adaptation } of expected.rules) adaptation?.saw(durationMs, isFailure);
    return expected;
  }

  return {
    expect: (request, expected) => void running.set(request, { ...expected, since: clock.elapsed() }),
    saw(request, result) {
      const isFailure = (result as { code?: unknown } | undefined)?.code === INTERNAL_ERROR;
      const expected = ended(request, isFailure);
      expected?.admission.settle?.(expected.call, result);
    },
    failed(request, retryAfterMs = 0) {
      const expected = ended(request, true);
      if (retryAfterMs > 0) for (const { adaptation } of expected?.rules ?? []) adaptation?.rest(retryAfterMs);
    },
  };
}
