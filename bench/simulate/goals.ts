import type { Goal } from "../goals.ts";
import type { SimulateResults } from "./suite.ts";

/** What is to be true of replays. */
export function simulateGoals({ scenes }: SimulateResults): readonly Goal[] {
  return [{ what: "simulate, one quota: CPU in µs per call", found: scenes["one quota"].us, bound: 1 }];
}
