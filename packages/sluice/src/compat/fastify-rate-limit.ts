import type { Store } from "../limiter/store.ts";
import { memoryStore } from "../stores/memory/memory.ts";
import { counterByNumbers } from "./counter-by-numbers.ts";
import type { CompatOptions, Hit } from "./window-counter.ts";

export type { CompatOptions } from "./window-counter.ts";

/** The options of @fastify/rate-limit that its store needs: of the plugin, or of one route. */
export interface FastifyRateLimitParams {
  /** Every refused request is a block for a whole window. */
  readonly continueExceeding?: boolean;
  /** Every refused request is a block: for a window, then for twice as long as was left. */
  readonly exponentialBackoff?: boolean;
  /** Refused requests of a window after which there is a ban; -1 for none. */
  readonly ban?: number;
  readonly max?: unknown;
  readonly timeWindow?: unknown;
  readonly groupId?: string;
  readonly routeInfo?: { readonly method?: string | readonly string[]; readonly url?: string };
}

/** What the plugin is told of a key. */
interface Result {
  /** Hits of the window, this one too. Above `max` when it is refused. */
  readonly current: number;
  /** Milliseconds. When refused: until a request can pass. Else: until the key is as good as new. */
  readonly ttl: number;
}

type Callback = (error: Error | null, result?: Result) => void;

/** A store as @fastify/rate-limit asks for it. */
export interface FastifyRateLimitStore {
  /** Count a hit. `current` is above `max` when it is refused. */
  incr(key: string, callback: Callback, timeWindow: number, max: number): void;
  /** What has been counted, for `createRateLimit` with `increment: false`. */
  read(key: string, callback: Callback, timeWindow: number, max: number): void;
  /**
   * The store for a route, or for a limit that `createRateLimit` or `rateLimit` makes.
   *
   * @param params {@link FastifyRateLimitParams}; the types of @fastify/rate-limit say a route's options, which it is not given
   */
  child(params: object): FastifyRateLimitStore;
}

/** The class that is the plugin's option `store`. */
export type FastifyRateLimitStoreClass = new (params: FastifyRateLimitParams) => FastifyRateLimitStore;

/** No wait grows longer than 30 days by retrying, unless the window itself is longer. */
const LONGEST_BACKOFF_MS = 30 * 86_400_000;

/**
 * A store for @fastify/rate-limit 11: its windows and its limits, counted by Sluice.
 *
 * A refused request is not charged, and counts as one above `max`, however often it comes; only with `ban` are
 * refused requests counted, beside the others. Each route that has a limit of its own has a count of its own, and so
 * has each `groupId`.
 *
 * @example
 * await app.register(rateLimit, { max: 100, timeWindow: "1 minute", store: sluiceStore({ store }) });
 */
export function sluiceStore(options: CompatOptions = {}): FastifyRateLimitStoreClass {
  const { store, name = "fastify-rate-limit", algorithm } = options;
  return class SluiceStore extends CountingStore {
    constructor(params: FastifyRateLimitParams) {
      super({ store: store ?? memoryStore(), algorithm, root: name, taken: new Map() }, name, params);
    }
  };
}

/** What the store of a plugin and those of its routes have in common. */
interface SharedTerms {
  readonly store: Store;
  readonly algorithm: CompatOptions["algorithm"];
  readonly root: string;
  /** How many children have been given a name. */
  readonly taken: Map<string, number>;
}

class CountingStore implements FastifyRateLimitStore {
  readonly #shared: SharedTerms;
  readonly #name: string;
  readonly #params: FastifyRateLimitParams;
  readonly #counterOf: ReturnType<typeof counterByNumbers>;

  constructor(shared: SharedTerms, name: string, params: FastifyRateLimitParams) {
    this.#shared = shared;
    this.#name = name;
    this.#params = params;
    // A client whose limit is told by a function has one count, whatever the limit is for this request.
    const whenChanged = typeof params.max === "function" ? "carry" : "fresh";
    this.#counterOf = counterByNumbers({ store: shared.store, algorithm: shared.algorithm, whenChanged });
  }

  incr(key: string, callback: Callback, timeWindow: number, max: number): void {
    this.#hit(key, timeWindow, max).then((result) => callback(null, result), callback);
  }

  read(key: string, callback: Callback, timeWindow: number, max: number): void {
    this.#look(key, timeWindow, max).then((result) => callback(null, result), callback);
  }

  child(params: FastifyRateLimitParams): FastifyRateLimitStore {
    return new CountingStore(this.#shared, childName(this.#shared, params), params);
  }

  async #hit(key: string, windowMs: number, max: number): Promise<Result> {
    const counter = this.#counterOf(this.#name, max, windowMs);
    const { continueExceeding, exponentialBackoff } = this.#params;
    // Only a reservation says whether a block refuses while the window does so for as long.
    const hit = exponentialBackoff ? (await counter.reserve(key)).hit : await counter.hit(key);
    if (!hit.isRefused) return { current: hit.total, ttl: hit.endsInMs };
    let ttl = hit.endsInMs;
    if (continueExceeding || exponentialBackoff) {
      ttl = continueExceeding ? windowMs : backoffMs(hit, windowMs);
      await counter.block(key, ttl);
    }
    return { current: hit.total - 1 + (await this.#refusals(key, windowMs)), ttl };
  }

  async #look(key: string, windowMs: number, max: number): Promise<Result> {
    const { total, endsInMs } = await this.#counterOf(this.#name, max, windowMs).look(key);
    return { current: total, ttl: endsInMs };
  }

  /** How often the key has been refused in a window, as far as anybody asks: up to the ban. */
  async #refusals(key: string, windowMs: number): Promise<number> {
    const { ban = -1 } = this.#params;
    if (ban < 0) return 1;
    const { total } = await this.#counterOf(`${this.#name}/refused`, ban + 1, windowMs).hit(key);
    return total;
  }
}

/** The first refusal is a wait of a window; each further one doubles what was left of it. */
function backoffMs({ isBlocked, endsInMs }: Hit, windowMs: number): number {
  return Math.max(windowMs, isBlocked ? Math.min(LONGEST_BACKOFF_MS, 2 * endsInMs) : 0);
}

/** A name that is the same in all processes that register the same routes in the same order. */
function childName(
  { root, taken }: SharedTerms,
  { groupId, routeInfo, max, timeWindow }: FastifyRateLimitParams,
): string {
  if (groupId !== undefined) return `${root}/group/${groupId}`;
  const numbers = [max, timeWindow].map((one) => (typeof one === "function" ? "function" : one)).join(" per ");
  const own = `${root}/${routeInfo?.url === undefined ? numbers : `${routeInfo.method} ${routeInfo.url}`}`;
  const before = taken.get(own) ?? 0;
  taken.set(own, before + 1);
  return before === 0 ? own : `${own}#${before + 1}`;
}
