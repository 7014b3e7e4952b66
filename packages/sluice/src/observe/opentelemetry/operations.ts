import type { JsonRpcRequest } from "../../inbound/mcp/types.ts";
import { systemClock } from "../../limiter/clock.ts";
import { ATTRIBUTE, OTHER } from "./conventions.ts";
import type { KnownNames } from "./known-names.ts";
import {
  type Attributes,
  type ContextLike,
  type HistogramLike,
  type OpenTelemetryApi,
  SPAN_KIND,
  type SpanLike,
  STATUS_ERROR,
  type TracerLike,
} from "./types.ts";

/** How a request travels. */
export interface Carriage {
  /** Over HTTP, or over pipes. */
  readonly isHttp: boolean;
  readonly sessionId?: string | undefined;
  /** Revision of the protocol, where it is known before the request is read. */
  readonly protocolVersion?: string | undefined;
}

/** A request between its coming (or its sending) and its answer. */
export interface Operation {
  /** What runs in it has its span as parent. */
  readonly context: ContextLike;
  readonly span: SpanLike;
  /** @param answer the result of the JSON-RPC response, or its error */
  answered(answer: unknown): void;
  /** There is no answer. @param errorType why not, in a word */
  failed(errorType: string): void;
  /** Nobody knows what was answered. */
  ended(): void;
}

export interface OperationsOptions {
  readonly kind: "server" | "client";
  readonly api: OpenTelemetryApi;
  readonly tracer: TracerLike;
  readonly duration: HistogramLike;
  readonly names: KnownNames;
  /** Is told when the operation of a request ends. */
  readonly onEnd?: (request: JsonRpcRequest) => void;
}

export type StartOperation = (
  request: JsonRpcRequest,
  carriage: Carriage,
  parent: ContextLike,
  links?: readonly object[],
) => Operation;

/** Where clients of 2026-07-28 say which revision they speak. */
const META_VERSION = "io.modelcontextprotocol/protocolVersion";

/** A client may send a name of some megabytes, and nobody reads that. */
const LONGEST_TEXT = 200;
const cut = (text: string): string => text.slice(0, LONGEST_TEXT);

/** Spans and durations of MCP requests, by the conventions. */
export function operations({ kind, api, tracer, duration, names, onEnd }: OperationsOptions): StartOperation {
  return (request, { isHttp, sessionId, protocolVersion: negotiated }, parent, links = []) => {
    const { id, method, params } = request;
    const name = typeof params?.name === "string" ? params.name : undefined;
    const tool = method === "tools/call" ? name : undefined;
    const prompt = method === "prompts/get" ? name : undefined;
    const stated: unknown = params?._meta?.[META_VERSION];
    const uri: unknown = params?.uri;
    let protocolVersion = typeof stated === "string" ? stated : negotiated;
    const network: Attributes = isHttp
      ? { [ATTRIBUTE.transport]: "tcp", [ATTRIBUTE.protocol]: "http" }
      : { [ATTRIBUTE.transport]: "pipe" };
    const operation: Attributes = tool === undefined ? {} : { [ATTRIBUTE.operation]: "execute_tool" };
    const since = systemClock.elapsed();
    const startName = spanName();
    const span = tracer.startSpan(
      startName,
      {
        kind: SPAN_KIND[kind],
        links,
        attributes: {
          [ATTRIBUTE.method]: cut(method),
          [ATTRIBUTE.requestId]: cut(String(id)),
          ...network,
          ...operation,
          ...(tool !== undefined && { [ATTRIBUTE.tool]: cut(tool) }),
          ...(prompt !== undefined && { [ATTRIBUTE.prompt]: cut(prompt) }),
          ...(typeof uri === "string" && { [ATTRIBUTE.resourceUri]: cut(uri) }),
          ...(sessionId !== undefined && { [ATTRIBUTE.sessionId]: cut(sessionId) }),
          ...(protocolVersion !== undefined && { [ATTRIBUTE.protocolVersion]: cut(protocolVersion) }),
        },
      },
      parent,
    );
    let isOpen = true;

    /** Names that clients make up are not in it. */
    function spanName(): string {
      const known = names.method(method);
      if (known === OTHER) return kind === "server" ? "mcp request" : method;
      const target = tool !== undefined ? names.tool(tool) : prompt !== undefined ? names.prompt(prompt) : OTHER;
      return target === OTHER ? known : `${known} ${target}`;
    }

    function end(failure: Attributes = {}, message?: string): void {
      if (!isOpen) return;
      isOpen = false;
      const endName = spanName();
      if (endName !== startName) span.updateName(endName);
      span.setAttributes(failure);
      if (ATTRIBUTE.errorType in failure) {
        span.setStatus({ code: STATUS_ERROR, ...(message !== undefined && { message }) });
      }
      duration.record((systemClock.elapsed() - since) / 1_000_000, {
        [ATTRIBUTE.method]: names.method(method),
        ...network,
        ...operation,
        ...(tool !== undefined && { [ATTRIBUTE.tool]: names.tool(tool) }),
        ...(prompt !== undefined && { [ATTRIBUTE.prompt]: names.prompt(prompt) }),
        ...(protocolVersion !== undefined && {
          [ATTRIBUTE.protocolVersion]: names.protocolVersion(protocolVersion),
        }),
        ...failure,
      });
      span.end();
      onEnd?.(request);
    }

    return {
      context: api.trace.setSpan(parent, span),
      span,
      answered(answer) {
        const { code, message, isError, protocolVersion: agreed } = (answer ?? {}) as Record<string, unknown>;
        if (typeof code === "number" && typeof message === "string") {
          return end({ [ATTRIBUTE.errorType]: String(code), [ATTRIBUTE.statusCode]: String(code) }, message);
        }
        names.learn(request, answer, protocolVersion);
        if (method === "initialize" && typeof agreed === "string") {
          protocolVersion = agreed;
          span.setAttributes({ [ATTRIBUTE.protocolVersion]: agreed });
        }
        end(tool !== undefined && isError === true ? { [ATTRIBUTE.errorType]: "tool_error" } : {});
      },
      failed: (errorType) => end({ [ATTRIBUTE.errorType]: errorType }),
      ended: () => end(),
    };
  };
}
