import { isolated } from "../limiter/events.ts";
import type { Store } from "../limiter/store.ts";
import { memoryStore } from "../stores/memory/memory.ts";
import type { OutboundListener } from "./events.ts";
import type { LimitLike } from "./limits.ts";
import { sharedUpstream } from "./shared-upstream.ts";
import { type CloseOptions, createUpstream, type Upstream } from "./upstream.ts";
import { type UpstreamOptions, upstreamSettings } from "./upstream-options.ts";

/** What each upstream allows: all options, or its limits alone. */
export type UpstreamsConfig = Readonly<Record<string, UpstreamOptions | LimitLike | readonly LimitLike[]>>;

export interface UpstreamsOptions {
  /**
   * Where units are counted and, for many processes, where calls of all of them stand in line: memory, SQLite, Redis.
   *
   * @default one memory store for the whole process
   */
  readonly store?: Store;
  /** Is told of everything that happens. What it throws is reported once and changes nothing. */
  readonly onEvent?: OutboundListener;
}

/** Upstreams by their names. */
export type Upstreams<Name extends string = string> = { readonly [N in Name]: Upstream } & {
  /** Close all of them. */
  close(options?: CloseOptions): Promise<void>;
};

/** Any upstreams, whatever their names. */
export type AnyUpstreams = Pick<Upstreams<never>, "close">;

/** An upstream cannot have these names: they mean something already. */
const TAKEN = ["close", "then", "toJSON", "constructor"];

let processStore: Store | undefined;

/**
 * Upstreams that are called inside their limits.
 *
 * Limits, lines of waiting calls and breakers belong to the store and the name: it does not matter how often this is
 * called with the same ones, as in a server that is made anew for each request.
 *
 * @example
 * const upstreams = createUpstreams({ coingecko: "10/min", infura: "100000/day UTC" });
 * const response = await upstreams.coingecko.fetch("https://api.example/price");
 *
 * @throws RangeError or TypeError for limits and options that cannot be; for a name that is not there, when it is read.
 */
export function createUpstreams<const C extends UpstreamsConfig>(
  config: C,
  { store, onEvent }: UpstreamsOptions = {},
): Upstreams<Extract<keyof C, string>> {
  processStore ??= memoryStore();
  const over = store ?? processStore;
  const announce = onEvent && isolated("onEvent", onEvent);
  const names = Object.keys(config);
  for (const name of names) {
    if (TAKEN.includes(name)) throw new RangeError(`An upstream cannot be named "${name}": that means something else.`);
  }
  const settings = names.map((name) => upstreamSettings(name, config[name]!));
  const upstreams = settings.map((one) => createUpstream(one, sharedUpstream(over, one), announce));
  const found = {
    ...Object.fromEntries(upstreams.map((upstream) => [upstream.name, upstream])),
    close: async (options?: CloseOptions) => {
      await Promise.all(upstreams.map((upstream) => upstream.close(options)));
    },
  };
  return new Proxy(found, {
    get(target, name) {
      if (typeof name !== "string" || name in target || TAKEN.includes(name)) {
        return Reflect.get(target, name) as unknown;
      }
      const known = names.length === 0 ? "none" : names.map((one) => `"${one}"`).join(", ");
      throw new TypeError(`There is no upstream "${name}". There are: ${known}.`);
    },
  }) as unknown as Upstreams<Extract<keyof C, string>>;
}
