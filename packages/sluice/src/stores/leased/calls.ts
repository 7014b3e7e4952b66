import { Mode } from "../../algorithms/algorithm.ts";
import { guarded } from "../../limiter/reply.ts";
import type { Awaitable, Demand, Store, Taken, TakeOptions } from "../../limiter/store.ts";
import type { Books } from "./books.ts";
import type { LeasedSpace } from "./space.ts";

/** The way to the shared store: every call is counted, and none is made twice. */
export class Calls {
  readonly #store: Store;
  readonly #books: Books;

  constructor(store: Store, books: Books) {
    this.#store = store;
    this.#books = books;
  }

  take(demands: readonly Demand[], options?: TakeOptions): Awaitable<readonly Taken[]> {
    this.#books.storeCalls++;
    return this.#store.take(demands, options);
  }

  /** Hand back what a space does not use: each grant by itself, all in one turn. What fails counts as taken. */
  async handBack(space: LeasedSpace, most = 1): Promise<void> {
    let unused = space.unused();
    for (let turn = 0; unused.length > 0; turn++) {
      await Promise.all(unused.map((demand) => this.#send(demand)));
      if (turn + 1 >= most) return;
      unused = space.unused();
    }
  }

  #send(demand: Demand): Promise<void> {
    return new Promise((resolve) => {
      guarded(
        async () => {
          await this.take([demand], { mode: Mode.force });
          resolve();
        },
        () => resolve(),
      );
    });
  }
}
