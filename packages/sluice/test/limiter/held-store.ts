import { type Awaitable, type Clock, memoryStore, type Store, type Taken } from "sluice";

/** A store whose every answer waits until the test lets it go. */
export interface HeldStore extends Store {
  readonly clock: Clock;
  take(...args: Parameters<Store["take"]>): Awaitable<readonly Taken[]>;
  /** Questions that have been asked and not answered. */
  readonly asked: number;
  /** Answer the oldest question: decided now, as a memory store would. */
  answer(): Promise<void>;
  /** Answer the oldest question with an error. */
  fail(error: Error): Promise<void>;
  /** Decide the oldest question now, but keep the answer: it is given by the function that comes back. */
  decideOnly(): () => Promise<void>;
}

export function heldStore(clock: Clock): HeldStore {
  const memory = memoryStore({ clock });
  const questions: {
    decide(): readonly Taken[];
    resolve(taken: readonly Taken[]): void;
    reject(error: Error): void;
  }[] = [];
  const next = () => {
    const question = questions.shift();
    if (question === undefined) throw new Error("nothing has been asked");
    return question;
  };
  return {
    clock,
    take: (...args) =>
      new Promise((resolve, reject) => {
        questions.push({ decide: () => memory.take(...args), resolve, reject });
      }),
    forget: async (accounts) => memory.forget(accounts),
    get asked() {
      return questions.length;
    },
    answer() {
      const { decide, resolve } = next();
      resolve(decide());
      return settled();
    },
    fail(error) {
      next().reject(error);
      return settled();
    },
    decideOnly() {
      const { decide, resolve } = next();
      const taken = decide();
      return () => {
        resolve(taken);
        return settled();
      };
    },
  };
}

/** Everything that follows from promises that are settled by now has happened. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
