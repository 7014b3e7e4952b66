/** Hands the client's address on to code that runs later in the same request and cannot see the socket. */
export interface ClientContext {
  run<T>(address: string, next: () => T): T;
  address(): string | undefined;
}

interface AsyncStorage {
  run<T>(value: string, next: () => T): T;
  getStore(): string | undefined;
}

let storage: AsyncStorage | undefined;

/**
 * The context of this process: `AsyncLocalStorage`, from the entry for Node that needs it. Elsewhere
 * (Workers, browsers) nobody enters it, and no address is known.
 */
export const clientContext: ClientContext & { use(storage: AsyncStorage): void } = {
  use(given) {
    storage ??= given;
  },
  run: (address, next) => (storage === undefined ? next() : storage.run(address, next)),
  address: () => storage?.getStore(),
};
