import type { Library } from "./bench-top.ts";
import { blockRules } from "./rules-of-blocks.ts";
import { grantRules } from "./rules-of-grants.ts";
import { settlementRules } from "./rules-of-settlement.ts";

/** Something that is true of every leased store. */
export interface Rule {
  readonly name: string;
  /** @throws Error that says what was found. */
  check(library: Library): Promise<void>;
}

export const rules: readonly Rule[] = Object.entries({ ...grantRules, ...settlementRules, ...blockRules }).map(
  ([name, check]) => ({
    name,
    check,
  }),
);
