import type { TransportCallback, TransportLike } from "./types.ts";

/**
 * Puts a wrapper around whatever callback is set under `name`, now or later. In SDK v1 the property
 * may be an accessor on the prototype, and must be gone through.
 */
export function intercept<T extends TransportLike>(
  transport: T,
  name: "onmessage" | "onclose",
  wrap: (next: TransportCallback) => TransportCallback,
): void {
  const inherited = accessorOf(transport, name);
  let own = transport[name];
  const get = () => (inherited === undefined ? own : inherited.get.call(transport));
  const set = (callback: unknown) => {
    own = callback && wrap(callback);
    inherited?.set.call(transport, own);
  };
  if (own) set(own);
  Object.defineProperty(transport, name, { configurable: true, enumerable: true, get, set });
}

function accessorOf(object: object, name: string): Required<Pick<PropertyDescriptor, "get" | "set">> | undefined {
  for (let owner: object | null = object; owner !== null; owner = Object.getPrototypeOf(owner)) {
    const { get, set } = Object.getOwnPropertyDescriptor(owner, name) ?? {};
    if (get !== undefined && set !== undefined) return { get, set };
  }
  return undefined;
}
