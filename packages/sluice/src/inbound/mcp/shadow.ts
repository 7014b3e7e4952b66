import { guarded, isPromise } from "../../limiter/reply.ts";
import type { Awaitable } from "../../limiter/store.ts";
import type { Rule } from "../../policy/rule.ts";
import type { Admission, Applied, Heard } from "./admission.ts";

/**
 * An admission, and beside it what limits on trial would have said: asked after the calls were admitted, waited for by
 * nobody. Their places go back when the calls end; a store that fails them changes nothing.
 *
 * @param hear is told once it is known
 */
export function withShadow(
  admission: Admission,
  ask: () => Awaitable<Admission>,
  hear: (heard: Heard) => void,
): Admission {
  let shadow: Awaitable<Admission> | undefined;
  guarded(
    () => {
      shadow = ask();
      return then(shadow, hear);
    },
    () => {},
  );
  const both = (verb: "finish" | "abandon" | "undo") => () => {
    admission[verb]();
    if (shadow !== undefined) guarded(() => then(shadow!, (one) => one[verb]()), nothing);
  };
  return {
    ...admission,
    settle(call, result) {
      admission.settle?.(call, result);
      if (shadow !== undefined) guarded(() => then(shadow!, (one) => one.settle?.(call, result)), nothing);
    },
    holdsPlaces: admission.holdsPlaces || shadow === undefined || isPromise(shadow) || shadow.holdsPlaces,
    finish: both("finish"),
    abandon: both("abandon"),
    undo: both("undo"),
  };
}

const nothing = (): void => {};

function then(value: Awaitable<Admission>, next: (value: Admission) => void): Awaitable<void> {
  return isPromise(value) ? value.then(next) : next(value);
}

/** The calls that rules of this mode apply to. */
export function inMode(list: readonly Applied[], mode: Rule["mode"]): readonly Applied[] {
  return list.flatMap((one) => {
    const rules = one.rules.filter((rule) => rule.mode === mode);
    return rules.length === 0 ? [] : [{ ...one, rules }];
  });
}

/** The same calls and rules, one list for each rule. */
export function ruleByRule(list: readonly Applied[]): readonly (readonly Applied[])[] {
  const byRule = new Map<Rule, Applied[]>();
  for (const one of list) {
    for (const rule of one.rules) {
      const alone = { ...one, rules: [rule] };
      const known = byRule.get(rule);
      if (known === undefined) byRule.set(rule, [alone]);
      else known.push(alone);
    }
  }
  return [...byRule.values()];
}
