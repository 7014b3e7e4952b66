import type { Goal } from "../goals.ts";
import type { LiveResults } from "./suite.ts";

/** What is to be true of a gateway that somebody looks at. */
export function liveGoals({ ratio, paced }: LiveResults): readonly Goal[] {
  return [
    { what: "live page: decisions while a page looks, × CPU while none does", found: ratio, bound: 1.03 },
    {
      what: "live page: CPU time that it takes at 10,000 decisions/s, ms per second",
      found: paced.watched - paced.alone,
      bound: 30,
    },
  ];
}
