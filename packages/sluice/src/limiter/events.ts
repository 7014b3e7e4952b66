import type { Decision } from "./decision.ts";

/** One decision, as listeners hear of it. */
export interface DecisionEvent {
  readonly key: string | readonly string[];
  readonly cost: number;
  readonly decision: Decision;
}

export type DecisionListener = (event: DecisionEvent) => void;

/** Calls a listener that cannot do harm: what it throws is reported once, and the call it heard of goes on. */
export function isolated<A extends readonly unknown[], R = void>(
  what: string,
  listener: (...args: A) => R,
): (...args: A) => R | undefined {
  let isReported = false;
  return (...args) => {
    try {
      return listener(...args);
    } catch (error) {
      if (!isReported) console.error(`sluice: ${what} threw, and is ignored when it does.`, error);
      isReported = true;
      return undefined;
    }
  };
}

/** Tells the listener of a limiter. */
export function announcer(
  listener: DecisionListener,
): (key: string | readonly string[], cost: number, decision: Decision) => void {
  return isolated("onDecision", (key, cost, decision) => listener({ key, cost, decision }));
}
