import { type RefusedToolResult, upstreamToolResult } from "../../answers/mcp.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import { milliseconds } from "../../limiter/duration.ts";
import { OutboundError } from "../errors.ts";
import type { AnyUpstreams } from "../upstreams.ts";
import { requested } from "./requested.ts";
import { type ToolRequest, toolRequest } from "./tool-request.ts";
import type { ToolCallback, ToolContext, WithUpstreams } from "./types.ts";
import { type WaitProgress, waitProgress } from "./wait-progress.ts";

export interface OutboundToolOptions {
  /**
   * Calls that say nothing else wait no longer than so long after the request came, in milliseconds. It leaves time for
   * the call itself within the 60 s after which MCP clients give up. An upstream's own `maxWaitMs` counts if it is less.
   *
   * @default 45_000
   */
  readonly maxWaitMs?: number;
  /**
   * Least milliseconds between two progress notifications. `false`: none, for tools that tell of progress themselves.
   * Clients that did not ask for progress get none.
   *
   * @default 3_000
   */
  readonly progressEveryMs?: number | false;
  /** Times the waiting. @default the monotonic clock of this process */
  readonly clock?: Clock;
}

/** What is known of a request, however often its callback runs. */
interface RequestRecord {
  readonly startedAt: number;
  readonly progress: WaitProgress | undefined;
}

/**
 * A tool's callback that calls upstreams, for servers of SDK v2 and v1 and of FastMCP: its context has `upstreams`.
 *
 * Calls made through these leave their queues when the client cancels the request, tell the client as progress where
 * they stand and when they start, and do not wait longer than the client does. If one of them is refused, and the tool
 * does not catch that, its result tells the model what to do, in the form of all refusals (`readRefusal` of `sluice/mcp`
 * reads it). So it is with code that is limited by host, where `fetch` fails because of the refusal. Other errors are
 * left alone.
 *
 * @example
 * server.registerTool("price", config, outboundTool(upstreams, async ({ id }, { upstreams }) => {
 *   const response = await upstreams.coingecko.fetch(`https://api.example/price/${id}`);
 *   return { content: [{ type: "text", text: await response.text() }] };
 * }));
 *
 * @throws RangeError for times that cannot be
 */
export function outboundTool<U extends AnyUpstreams, A extends readonly unknown[] = [], C = unknown, R = unknown>(
  upstreams: U,
  callback: (...args: [...A, WithUpstreams<C, U>]) => R,
  { maxWaitMs = 45_000, progressEveryMs = 3_000, clock = systemClock }: OutboundToolOptions = {},
): (...args: [...A, C]) => R {
  milliseconds("maxWaitMs", maxWaitMs, 0);
  if (progressEveryMs !== false) milliseconds("progressEveryMs", progressEveryMs, 1);
  /** An SDK may run the callback several times for one request; each run has the same signal. */
  const requests = new WeakMap<AbortSignal, RequestRecord>();

  function recordOf({ signal, tell }: ToolRequest): RequestRecord {
    const known = signal && requests.get(signal);
    if (known !== undefined) return known;
    const startedAt = clock.elapsed();
    const tells = tell !== undefined && progressEveryMs !== false;
    const progress = tells ? waitProgress({ clock, tell, everyMs: progressEveryMs, startedAt }) : undefined;
    const record = { startedAt, progress };
    if (signal !== undefined) requests.set(signal, record);
    return record;
  }

  const called: ToolCallback = async (...args) => {
    const context: ToolContext = args.pop();
    const request = toolRequest(context);
    const { startedAt, progress } = recordOf(request);
    const view = requested(upstreams, {
      signal: request.signal,
      progress,
      maxWaitMs: () => Math.max(0, maxWaitMs - (clock.elapsed() - startedAt) / 1000),
    });
    try {
      return await (callback as ToolCallback)(...args, { ...context, upstreams: view });
    } catch (error) {
      const refusal = refusalIn(error);
      if (refusal === undefined) throw error;
      return refused(refusal, request);
    } finally {
      progress?.end();
    }
  };
  return called;
}

/** `fetch` wraps what it fails of in a TypeError. */
function refusalIn(error: unknown): OutboundError | undefined {
  if (error instanceof OutboundError) return error;
  return error instanceof TypeError && error.cause instanceof OutboundError ? error.cause : undefined;
}

function refused(error: OutboundError, { isFastMcp }: ToolRequest): Partial<RefusedToolResult> {
  const result = upstreamToolResult(error);
  if (!isFastMcp) return result;
  const { resultType: _, ...rest } = result;
  return rest;
}
