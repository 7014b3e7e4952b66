import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as it came over the wire. */
interface ReceivedSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly points: readonly any[];
}

export interface Collector {
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  readonly metrics: readonly ReceivedMetric[];
  /** What else was asked, and in which form. */
  readonly requests: readonly { readonly path: string; readonly type: string | undefined }[];
  close(): Promise<void>;
}

/** An OTLP collector on loopback that decodes what comes as JSON, and nothing else. */
export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const metrics: ReceivedMetric[] = [];
  const requests: { path: string; type: string | undefined }[] = [];
  const http = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const type = request.headers["content-type"];
    requests.push({ path: request.url ?? "", type });
    if (type === "application/json") {
      const body = JSON.parse(Buffer.concat(chunks).toString());
      if (request.url === "/v1/traces") spans.push(...spansIn(body));
      if (request.url === "/v1/metrics") metrics.push(...metricsIn(body));
    }
    response.setHeader("content-type", type ?? "application/json").end(type === "application/json" ? "{}" : "");
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    spans,
    metrics,
    requests,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function spansIn({ resourceSpans }: any): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
    scopeSpans.flatMap(({ spans }: any) =>
      spans.map(({ name, kind, traceId, spanId, parentSpanId, attributes }: any) => ({
        name,
        kind,
        traceId,
        spanId,
        parentSpanId,
        attributes: attributesIn(attributes),
        resource: attributesIn(resource.attributes),
      })),
    ),
  );
}

function metricsIn({ resourceMetrics }: any): ReceivedMetric[] {
  return resourceMetrics.flatMap(({ scopeMetrics }: any) =>
    scopeMetrics.flatMap(({ metrics }: any) =>
      metrics.map(({ name, unit, ...data }: any) => ({
        name,
        unit,
        points: (data.histogram ?? data.sum ?? data.gauge).dataPoints.map(({ attributes, ...point }: any) => ({
          ...point,
          attributes: attributesIn(attributes),
        })),
      })),
    ),
  );
}

/** Of the values that OTLP has, each is under the name of its type. */
const attributesIn = (list: any[] = []): Record<string, unknown> =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
