/** What is needed of `@opentelemetry/api`: its shape, so that it is no dependency. */

export type Attributes = Record<string, string | number | boolean>;

/** A context of the API: made and read by the API alone. */
export type ContextLike = any;

export interface SpanLike {
  setAttributes(attributes: any): unknown;
  setStatus(status: any): unknown;
  addEvent(name: string, attributes?: any): unknown;
  updateName(name: string): unknown;
  spanContext(): any;
  end(): void;
}

export interface TracerLike {
  startSpan(name: string, options?: any, context?: any): SpanLike;
}

export interface HistogramLike {
  record(value: number, attributes?: any): void;
}

export interface CounterLike {
  add(value: number, attributes?: any): void;
}

export interface MeterLike {
  createHistogram(name: string, options?: any): HistogramLike;
  createCounter(name: string, options?: any): CounterLike;
  createUpDownCounter(name: string, options?: any): CounterLike;
}

export interface TracerProviderLike {
  getTracer(name: string, version?: string): TracerLike;
}

export interface MeterProviderLike {
  getMeter(name: string, version?: string): MeterLike;
}

/** `import * as api from "@opentelemetry/api"`. */
export interface OpenTelemetryApi {
  readonly trace: TracerProviderLike & {
    getSpan(context: any): SpanLike | undefined;
    getSpanContext(context: any): any;
    setSpan(context: any, span: any): ContextLike;
  };
  readonly metrics: MeterProviderLike;
  readonly context: {
    active(): ContextLike;
    with(context: any, callback: () => any): any;
  };
  readonly propagation: {
    extract(context: any, carrier: any): ContextLike;
    inject(context: any, carrier: any): void;
  };
}

/** `SpanKind` and `SpanStatusCode` of the API: numbers that its specification fixes. */
export const SPAN_KIND = { internal: 0, server: 1, client: 2 } as const;
export const STATUS_ERROR = 2;
