import type { Clock } from "../../limiter/clock.ts";
import type { McpCall } from "../../policy/call.ts";
import type { Rule } from "../../policy/rule.ts";
import type { Admission, Applied } from "./admission.ts";
import type { JsonRpcRequest } from "./types.ts";

/** What came of a call that was let through. */
export interface McpResultEvent {
  readonly call: McpCall;
  /** The key of the client. */
  readonly client: string;
  readonly tier?: string | undefined;
  /** From the decision, waiting included, to the answer. In milliseconds. */
  readonly durationMs: number;
  /**
   * A result; a result of a tool that says that it failed (`isError`); a JSON-RPC error; no answer at all; or nobody saw it
   * (`"unseen"`): the client gave up, or the answer was too large to look at or went another way.
   */
  readonly outcome: "result" | "tool_error" | "error" | "no_answer" | "unseen";
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

/** Calls that were admitted together. */
interface Running extends Pick<Expected, "admission" | "since"> {
  /** Those that fall under limits. */
  readonly list: readonly Applied[];
}

/** Hears what comes of calls, for limits that depend on it and for listeners. */
export interface Results {
  /**
   * These run from now on: each is heard of once, at the latest when the admission that is returned ends.
   *
   * @param calls what the requests are, in order
   */
  expect(requests: readonly JsonRpcRequest[], calls: readonly McpCall[], running: Running): Admission;
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
    if (outcome !== "unseen") for (const { adaptation } of own) adaptation?.saw(durationMs, isFailure);
    if (client !== undefined) onResult?.({ call, client, tier, durationMs, outcome, errorCode });
    return expected;
  }

  return {
    expect(requests, calls, { list, admission, since }) {
      for (const [i, request] of requests.entries()) {
        const call = calls[i]!;
        const { client, tier, rules: own = [] }: Partial<Applied> = list.find((one) => one.call === call) ?? {};
        running.set(request, { call, client, tier, rules: own, admission, since });
      }
      const ends = (verb: "finish" | "abandon" | "undo") => () => {
        for (const request of requests) ended(request, "unseen");
        admission[verb]();
      };
      return { ...admission, finish: ends("finish"), abandon: ends("abandon"), undo: ends("undo") };
    },
    saw(request, result) {
      const { outcome, errorCode } = resultKind(result);
      const expected = ended(request, outcome, errorCode);
      expected?.admission.settle?.(expected.call, result);
    },
    failed(request, retryAfterMs = 0) {
      const expected = ended(request, "no_answer");
      if (retryAfterMs > 0) for (const { adaptation } of expected?.rules ?? []) adaptation?.rest(retryAfterMs);
    },
  };
}

/** What an answer is, by its result or its error. */
export function resultKind(result: unknown): Pick<McpResultEvent, "outcome" | "errorCode"> {
  const { code, message, isError } = (result ?? {}) as { code?: unknown; message?: unknown; isError?: unknown };
  if (typeof code === "number" && typeof message === "string") return { outcome: "error", errorCode: code };
  return { outcome: isError === true ? "tool_error" : "result" };
}
