import { type WindowCounter, type WindowCounterOptions, windowCounter } from "./window-counter.ts";

/** More counters than that are numbers that a function makes up for each request: they are made anew when needed. */
const MOST = 1000;

/**
 * Counters for middlewares that state limit and window with each request.
 *
 * A counter is made when it is needed first; its counts are in the store.
 */
export function counterByNumbers(
  options: Omit<WindowCounterOptions, "name" | "limit" | "windowMs">,
): (name: string, limit: number, windowMs: number) => WindowCounter {
  const counters = new Map<string, WindowCounter>();

  return (name, limit, windowMs) => {
    const numbers = `${limit}/${windowMs}/${name}`;
    let counter = counters.get(numbers);
    if (counter === undefined) {
      if (counters.size >= MOST) counters.clear();
      counter = windowCounter({ ...options, name, limit, windowMs });
      counters.set(numbers, counter);
    }
    return counter;
  };
}
