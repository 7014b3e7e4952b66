import { isPromise } from "../limiter/reply.ts";
import type { SharedDocument } from "../limiter/shared-document.ts";
import type { SharedQueue } from "../limiter/shared-queue.ts";
import {
  type Awaitable,
  type Express,
  isSync,
  type Ledger,
  type Line,
  type Store,
  type SyncStore,
} from "../limiter/store.ts";

/** What is asked of a store. */
type StoreOperation = "take" | "forget" | "exchange" | "read" | "replace";

/** Hears of every call of a store. Must not throw. */
export interface StoreWatcher {
  /** @param tookMs undefined where it is not measured: an answer out of memory */
  called(operation: StoreOperation, tookMs: number | undefined): void;
  failed(operation: StoreOperation, error: unknown): void;
}

/**
 * The same store, whose calls somebody hears of. What a store decides by itself for a limiter (`shortcut`) is none: nobody was asked.
 *
 * @param now in milliseconds
 */
export function watchedStore<S extends Store>(store: S, watcher: StoreWatcher, now = () => performance.now()): S {
  function heard<T>(operation: StoreOperation, ask: () => Awaitable<T>): Awaitable<T> {
    const since = now();
    const fail = (error: unknown): never => {
      watcher.called(operation, now() - since);
      watcher.failed(operation, error);
      throw error;
    };
    const done = (value: T): T => {
      watcher.called(operation, now() - since);
      return value;
    };
    let answer: Awaitable<T>;
    try {
      answer = ask();
    } catch (error) {
      return fail(error);
    }
    return isPromise(answer) ? answer.then(done, fail) : done(answer);
  }

  const promised = <T>(operation: StoreOperation, ask: () => Promise<T>) => heard(operation, ask) as Promise<T>;

  function express(...ledgers: Parameters<NonNullable<Store["express"]>>): Express | undefined {
    const own = store.express!(...ledgers);
    return own && { take: (key, cost, decided) => promised("take", () => own.take(key, cost, decided)) };
  }

  /** It is not even timed: it takes less than a reading of the clock. */
  function line(this: void, ledger: Ledger): Line {
    const own = (store as unknown as SyncStore).line(ledger);
    return {
      take(key, cost, elapsed) {
        watcher.called("take", undefined);
        return own.take(key, cost, elapsed);
      },
      isEmpty: () => own.isEmpty(),
    };
  }

  const queueOf = (queue: SharedQueue): SharedQueue => ({
    exchange: (request) => promised("exchange", () => queue.exchange(request)),
    close: () => queue.close(),
  });

  const documentOf = (document: SharedDocument): SharedDocument => ({
    read: () => heard("read", () => document.read()),
    replace: (version, text) => heard("replace", () => document.replace(version, text)),
  });

  return around(store, {
    take: (demands, options) => heard("take", () => store.take(demands, options)),
    forget: (accounts) => heard("forget", () => store.forget(accounts)),
    ...(store.express && { express }),
    ...(store.queue && { queue: (terms, seat) => queueOf(store.queue!(terms, seat)) }),
    ...(store.document && { document: (name) => documentOf(store.document!(name)) }),
    ...(isSync(store) && { line }),
  });
}

/** An object with all that `store` has, but for these: whether it is a plain object or of a class with private fields. */
function around<S extends Store>(store: S, own: Partial<Store & Pick<SyncStore, "line">>): S {
  const whole: Record<PropertyKey, unknown> = {};
  for (
    let owner: object | null = store;
    owner !== null && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner)
  ) {
    for (const name of Reflect.ownKeys(owner)) {
      if (name === "constructor" || name in whole) continue;
      const get = () => {
        const value: unknown = Reflect.get(store, name);
        return typeof value === "function" ? value.bind(store) : value;
      };
      Object.defineProperty(whole, name, { configurable: true, enumerable: true, get });
    }
  }
  for (const [name, value] of Object.entries(own)) Object.defineProperty(whole, name, { enumerable: true, value });
  return whole as unknown as S;
}
