/** A defect that somebody could build in: what would stand where, instead of what. */
export interface Mutation {
  readonly name: string;
  /** In `src`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const leased = (name: string, file: string, from: string, to: string): Mutation => ({
  name,
  file: `stores/leased/${file}.ts`,
  from,
  to,
});

export const mutations: readonly Mutation[] = [
  leased(
    "the deadline counts from the receipt",
    "account",
    "new Lot(answer.receipt, granted - used, used, asked, ",
    "new Lot(answer.receipt, granted - used, used, now, ",
  ),
  leased("the lease is rounded up, and clocks do not drift", "moment", "Math.floor(span * DRIFT)", "span + 1"),
  leased("a lot is used after its end", "account", "lot.left >= cost && lot.isAlive(now)", "lot.left >= cost"),
  leased("sleep does not count", "moment", "onTheWall < span && onTheWall > -span", "true"),
  leased("a time on the wall that was set back does not count", "moment", " && onTheWall > -span", ""),
  leased("the end of a window is ignored", "space", "this.terms.endsWithWindow ?", "false ?"),
  leased(
    "a grant in part is taken for the whole",
    "decisions",
    "answer.granted ?? short",
    "Math.max(answer.granted!, 40)",
  ),
  leased("a refusal is charged", "decisions", "const returned = isMet ?", "const returned = account ?"),
  leased(
    "units are handed back before it is known that they were taken",
    "decisions",
    "if (isMet && !isSuspect) mirror.add(granted, sent, answer);\n    const returned = isMet ? account.receive(granted, short, asked, now, answer) : 0;",
    "const returned = isMet ? account.receive(granted, short, asked, now, answer) : 0;\n    if (isMet && !isSuspect) mirror.add(granted, sent, answer);",
  ),
  leased("units in hand are used for a refused call", "decisions", "if (!isMet) part.account.undo(portions);", ""),
  leased(
    "what failed takes units along",
    "decisions",
    "for (const { part, portions } of questions) part.account?.undo(portions);",
    "",
  ),
  leased(
    "a call passes when one of its quotas has units in hand",
    "decisions",
    "parts.every((part) => isInHand(part, now))",
    "parts.some((part) => part.account !== undefined && isInHand(part, now))",
  ),
  leased(
    "unused units go back twice",
    "calls",
    "await Promise.all(unused.map(",
    "await Promise.all([...unused, ...unused].map(",
  ),
  leased("units go back before they are out of hand", "account", "    lot.left = 0;\n", ""),
  leased("dead lots stay in hand", "account", "this.#lots = this.#lots.filter((lot) => !over.includes(lot));", ""),
  leased("units go back without a receipt", "space", "cost: -units, receipt }", "cost: -units }"),
  leased("units of a bucket go back", "space", "!terms.isReturnable", "false"),
  leased(
    "a give-back that failed is sent again",
    "calls",
    "() => resolve(),",
    "() => void this.take([demand], { mode: Mode.force })",
  ),
  leased(
    "a grant that got no answer is asked for again",
    "decisions",
    "      fail();\n      throw error;\n    });",
    "      fail();\n      if (error) return Promise.resolve(calls.take(demands)).then(finish);\n      throw error;\n    });",
  ),
  leased(
    "units go back under the newest receipt",
    "decisions",
    "const receipt = portions[0]?.lot.receipt ?? answer.receipt;",
    "const { receipt } = answer;",
  ),
  leased(
    "units of several lots in hand go back under the newest receipt",
    "decisions",
    "receipt: portions[0]!.lot.receipt }",
    "receipt: portions.at(-1)!.lot.receipt }",
  ),
  leased("a refund is used and handed back", "settlements", "cost: -missing, ", "cost: demand.cost, "),
  leased(
    "a refusal is remembered without its cost",
    "refusals",
    "one.cost <= cost && now < one.until",
    "now < one.until",
  ),
  leased("nothing is refused from memory", "refusals", "isRefused ? retryAt : undefined", "undefined"),
  leased("a block is good for ever", "block-fact", "isWithin(life, this.#asked, now) && ", ""),
  leased("a block is news to others only", "settlements", "fact?.block(now.elapsed, demand.cost);", ""),
  leased(
    "callers do not wait for the grant that is under way",
    "decisions",
    "account?.asking !== undefined && ",
    "false && ",
  ),
  leased("units of a lost state are used on", "losses", "    account.clear();\n", ""),
  leased("nobody notices a lost state", "decisions", "if (isSuspect) ", "if (false) "),
  leased("a reset is taken for a loss", "losses", "reset!.allowed", "reset"),
  leased(
    "what the stand-in of a store said is leased",
    "decisions",
    "if (answer.degraded === true) return",
    "if (answer.degraded === 1) return",
  ),
  leased("what is taken is not booked", "account", "        this.space.books.used += cost;\n", ""),
  {
    name: "the store counts units for the period only",
    file: "algorithms/sliding-window.ts",
    from: "this.#period + granted, LEASE_GRANULES",
    to: "this.#period, LEASE_GRANULES",
  },
  {
    name: "a bucket keeps its whole burst",
    file: "algorithms/token-bucket.ts",
    from: "const burst = this.capacity - Math.ceil(granted / perUnit);",
    to: "const burst = this.capacity;",
  },
];
