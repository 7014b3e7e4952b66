import { isolated } from "../../limiter/events.ts";
import type { RegistryLike, Shown, ShownValue } from "./types.ts";

export interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly labels?: readonly string[];
  /** @default "sum" */
  readonly aggregator?: Shown["aggregator"];
}

/** Values of labels, in their order, and the value of the series. */
export type Sample = readonly [labels: readonly string[], value: number];

/** A counter or a gauge: all series of one name. */
export interface Family {
  add(labels: readonly string[], by?: number): void;
  /** Read when somebody looks, beside what was added. */
  from(source: () => Iterable<Sample>): void;
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

/** Registers a counter or a gauge. @throws what the registry throws for a name that it has */
export function family(registry: RegistryLike, options: FamilyOptions): Family {
  const { name, help, type, labels: names = [], aggregator = "sum" } = options;
  const series = new Map<string, Series>();
  const sources: (() => Iterable<Sample>)[] = [];

  function add(into: Map<string, Series>, labels: readonly string[], by: number): void {
    const key = labels.join("\0");
    const known = into.get(key);
    if (known === undefined) into.set(key, { labels: labelled(names, labels), value: by });
    else known.value += by;
  }

  registry.registerMetric({
    // prom-client writes to `name`, for OpenMetrics.
    name,
    help,
    type,
    labelNames: names,
    aggregator,
    async get(): Promise<Shown> {
      const all = new Map([...series].map(([key, one]) => [key, { ...one }]));
      for (const source of sources) for (const [labels, value] of source()) add(all, labels, value);
      return { name: this.name, help, type, aggregator, values: [...all.values()] };
    },
    reset: () => series.clear(),
  });

  return {
    add: (labels, by = 1) => add(series, labels, by),
    from(source) {
      // One that fails is left out: the rest is worth seeing, most of all then.
      let found: Iterable<Sample> = [];
      const read = isolated(`what ${name} reads`, () => {
        found = [...source()];
      });
      sources.push(() => {
        found = [];
        read();
        return found;
      });
    },
  };
}

export interface HistogramOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds, from small to large. */
  readonly buckets: readonly number[];
}

export interface Histogram {
  observe(labels: readonly string[], value: number): void;
}

interface Distribution {
  readonly labels: Readonly<Record<string, string>>;
  /** Of each bucket by itself. */
  readonly counts: number[];
  sum: number;
  count: number;
}

/** Registers a histogram. @throws what the registry throws for a name that it has */
export function histogram(registry: RegistryLike, options: HistogramOptions): Histogram {
  const { name, help, labels: names = [], buckets } = options;
  const series = new Map<string, Distribution>();

  function* valuesOf({ labels, counts, sum, count }: Distribution): Generator<ShownValue> {
    let below = 0;
    for (const [i, le] of buckets.entries()) {
      below += counts[i]!;
      yield { labels: { ...labels, le }, value: below, metricName: `${name}_bucket` };
    }
    yield { labels: { ...labels, le: "+Inf" }, value: count, metricName: `${name}_bucket` };
    yield { labels, value: sum, metricName: `${name}_sum` };
    yield { labels, value: count, metricName: `${name}_count` };
  }

  registry.registerMetric({
    name,
    help,
    type: "histogram",
    labelNames: names,
    aggregator: "sum",
    async get(): Promise<Shown> {
      const values = [...series.values()].flatMap((one) => [...valuesOf(one)]);
      return { name, help, type: "histogram", aggregator: "sum", values };
    },
    reset: () => series.clear(),
  });

  return {
    observe(labels, value) {
      const key = labels.join("\0");
      let one = series.get(key);
      if (one === undefined) {
        one = { labels: labelled(names, labels), counts: new Array<number>(buckets.length).fill(0), sum: 0, count: 0 };
        series.set(key, one);
      }
      const bucket = buckets.findIndex((bound) => value <= bound);
      if (bucket !== -1) one.counts[bucket]!++;
      one.sum += value;
      one.count++;
    },
  };
}

const labelled = (names: readonly string[], values: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name, i) => [name, values[i]!]));
