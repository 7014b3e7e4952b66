/** How an attempt ended, as its caller gets it. */
export type End<T> = { readonly value: T } | { readonly error: unknown };

/** Of a response that nobody will get, nobody will read the body: as long as it is there, it holds a connection. */
export function discard(end: End<unknown> | undefined): void {
  const value = end !== undefined && "value" in end ? end.value : undefined;
  if (value instanceof Response && !value.bodyUsed) value.body?.cancel().catch(() => {});
}
