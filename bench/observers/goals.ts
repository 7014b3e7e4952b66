import type { Goal } from "../goals.ts";
import type { ObserverResults } from "./suite.ts";

/** In microseconds: code that is compiled for those who are watched, too, takes a little longer for those who are not. */
const NEXT_TO_NOTHING = 0.1;

/** What is to be true of listeners. */
export function observerGoals(results: ObserverResults): readonly Goal[] {
  return (["decisions", "calls out"] as const).map((what) => ({
    what: `${what} to which nobody listens: microseconds more, where metrics listen to others`,
    found: results[what].others - results[what].nobody,
    bound: NEXT_TO_NOTHING,
  }));
}
