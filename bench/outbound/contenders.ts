import { sluice } from "./sluice.ts";

/** Keeps calls inside a limit: runs each one now or later. */
export interface Caller {
  run<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export interface Rate {
  readonly limit: number;
  readonly periodMs: number;
}

/** A way to limit calls that go out, as its users write it. Each loads its own package, so that no process pays for others. */
type Contender = (rate: Rate) => Promise<Caller>;

const bottleneck =
  (options: (rate: Rate) => object): Contender =>
  async (rate) => {
    const { default: Bottleneck } = await import("bottleneck");
    const limiter = new Bottleneck(options(rate));
    return { run: (call) => limiter.schedule(call) };
  };

const pQueue =
  (strict: boolean): Contender =>
  async ({ limit, periodMs }) => {
    const { default: PQueue } = await import("p-queue");
    const queue = new PQueue({ intervalCap: limit, interval: periodMs, strict });
    return { run: (call, signal) => queue.add(call, signal && { signal }) };
  };

const pThrottle =
  (strict: boolean): Contender =>
  async ({ limit, periodMs }) => {
    const { default: pThrottle } = await import("p-throttle");
    const throttled = pThrottle({ limit, interval: periodMs, strict })((call: () => Promise<any>) => call());
    return { run: (call) => throttled(call) };
  };

const limiterPackage =
  (
    make: (module: typeof import("limiter"), rate: Rate) => { removeTokens(count: number): Promise<number> },
  ): Contender =>
  async (rate) => {
    const limiter = make(await import("limiter"), rate);
    return {
      async run(call) {
        await limiter.removeTokens(1);
        return call();
      },
    };
  };

/** A call is the request's adapter, which is where axios would send it. */
const axiosRateLimit: Contender = async ({ limit, periodMs }) => {
  const { default: axios } = await import("axios");
  const { default: rateLimit } = await import("axios-rate-limit");
  const client = rateLimit(axios.create(), { maxRequests: limit, perMilliseconds: periodMs });
  return {
    async run(call, signal) {
      const response = await client.request({
        ...(signal && { signal }),
        adapter: async (config) => ({ data: await call(), status: 200, statusText: "OK", headers: {}, config }),
      });
      return response.data;
    },
  };
};

/** The least that whoever wants to know when a call ends, how, and how long it took, has to do: it limits nothing. */
class Followed {
  readonly #begin = performance.now();
  static ms = 0;

  run<T>(call: () => Promise<T>): Promise<T> {
    return call().then(this.returned.bind(this), this.failed.bind(this)) as Promise<T>;
  }

  returned<T>(value: T): T {
    Followed.ms += performance.now() - this.#begin;
    return value;
  }

  failed(error: unknown): never {
    Followed.ms += performance.now() - this.#begin;
    throw error;
  }
}

export const contenders = {
  "a bare call": async () => ({ run: (call) => call() }),
  "a bare call, followed to its end": async () => ({ run: (call) => new Followed().run(call) }),
  sluice: (rate) => sluice(rate),
  "sluice, anchor end": (rate) => sluice({ ...rate, anchor: "end" }),
  "p-queue": pQueue(false),
  "p-queue, strict": pQueue(true),
  "p-throttle": pThrottle(false),
  "p-throttle, strict": pThrottle(true),
  "limiter, RateLimiter": limiterPackage(
    ({ RateLimiter }, { limit, periodMs }) => new RateLimiter({ tokensPerInterval: limit, interval: periodMs }),
  ),
  "limiter, TokenBucket": limiterPackage(({ TokenBucket }, { limit, periodMs }) => {
    const bucket = new TokenBucket({ bucketSize: limit, tokensPerInterval: limit, interval: periodMs });
    bucket.content = limit;
    return bucket;
  }),
  "bottleneck, reservoir": bottleneck(({ limit, periodMs }) => ({
    reservoir: limit,
    reservoirRefreshAmount: limit,
    reservoirRefreshInterval: periodMs,
  })),
  "bottleneck, minTime": bottleneck(({ limit, periodMs }) => ({ minTime: periodMs / limit })),
  "axios-rate-limit": axiosRateLimit,
} satisfies Record<string, Contender>;

export type ContenderName = keyof typeof contenders;
