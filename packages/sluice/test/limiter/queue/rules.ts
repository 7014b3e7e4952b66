import { rulesOfLimits } from "./rules-of-limits.ts";
import { rulesOfTurns } from "./rules-of-turns.ts";

/** Something that one look at a queue shows to be right: throws if it is not. */
export interface Rule {
  readonly name: string;
  check(): void;
}

export const rules: readonly Rule[] = [...rulesOfTurns, ...rulesOfLimits];
