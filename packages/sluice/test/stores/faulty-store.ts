import { type Clock, type Demand, type MemoryStore, memoryStore, type Store, type TakeOptions } from "sluice";

/** How a store does: it answers, cannot be reached, never answers, or does what it is asked and then loses the answer. */
type Health = "up" | "down" | "hung" | "deaf";

/** A store that answers later, and whose health a test decides about. */
export interface FaultyStore extends Store {
  readonly clock: Clock;
  health: Health;
  /** What it throws while it is down. */
  error: Error;
  /** Everything that it was asked, answered or not. */
  readonly asked: { readonly demands: readonly Demand[]; readonly options: TakeOptions | undefined }[];
  /** What it keeps. */
  readonly memory: MemoryStore;
}

export function faultyStore(clock: Clock): FaultyStore {
  const memory = memoryStore({ clock });
  const store: FaultyStore = {
    clock,
    memory,
    health: "up",
    error: new Error("connect ECONNREFUSED"),
    asked: [],
    async take(demands, options) {
      store.asked.push({ demands, options });
      return answer(() => memory.take(demands, options));
    },
    forget: async (accounts) => answer(() => memory.forget(accounts)),
  };

  function answer<T>(decide: () => T): T | Promise<T> {
    if (store.health === "down") throw store.error;
    if (store.health === "hung") return new Promise<never>(() => {});
    const value = decide();
    if (store.health === "deaf") throw new Error("the connection was lost before the answer came");
    return value;
  }
  return store;
}
