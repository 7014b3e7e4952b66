import { createHash } from "node:crypto";
import type { QueueRule, QueueTerms } from "../../../limiter/shared-queue.ts";
import type { Ledger } from "../../../limiter/store.ts";
import type { KeyNames } from "../key-names.ts";
import { assertKnown, ledgerTerms } from "../ledger-terms.ts";

/** The terms of a queue in the words of the script. */
export interface ScriptTerms {
  /** In the order in which the script has them, without a marker. */
  readonly keys: readonly string[];
  /** The terms, as JSON. */
  readonly text: string;
  /** How names of channels begin: that of an owner goes on with his name. */
  readonly channel: string;
  /** @param wall the time about which windows of the calendar are told, in microseconds */
  ledgers(wall: number): string;
}

const PER = ["queue", "lane", "group", "rest"] as const;
/** A note that nobody has asked for in so long is forgotten. In milliseconds. */
const LEAST_LIFE_MS = 3_600_000;
/** In so many steps a rate comes back that was cut as far as possible. */
const STEPS = 10;

/**
 * The key of a queue is gone when nobody has asked for so long that all owners and what was cut are forgotten anyway.
 *
 * @throws TypeError for an algorithm that Redis does not know.
 */
export function scriptTerms(terms: QueueTerms, names: KeyNames, lingerMs: number): ScriptTerms {
  const { name, pause, rules, grace, ownerLife, pace, interval, recovery } = terms;
  const ledgers = [pause, ...rules.flatMap(({ ledger, afterEnd }) => (afterEnd ? [ledger, afterEnd] : [ledger]))];
  for (const ledger of ledgers) assertKnown(ledger);
  const numberOf = (ledger: Ledger | undefined): number => (ledger === undefined ? 0 : ledgers.indexOf(ledger) + 1);
  const told = ledgers.map((ledger) => ledgerTerms(ledger));
  const ruleTerms = rules.map(({ ledger, per, unit, isPlace, afterEnd, endsWithWindow }) => [
    numberOf(ledger),
    PER.indexOf(per),
    Number(unit === "cost"),
    Number(isPlace),
    numberOf(afterEnd),
    Number(endsWithWindow),
    ledger.algorithm.capacity,
  ]);
  const shared = [ruleTerms, grace, ownerLife, pace.flat(), interval, recovery];
  const lifeMs = Math.ceil(Math.max(ownerLife, STEPS * recovery) / 1000) + LEAST_LIFE_MS + lingerMs;
  const queue = names.beside(name, `queue:${hash([name, ledgers.map(fingerprint), shared])}`);
  const accountsOf = ({ ledger, per }: QueueRule): string =>
    per === "queue" ? names.of({ ledger, key: name, tag: name }) : names.within(name, ledger);
  return {
    keys: [queue, names.of({ ledger: pause, key: name, tag: name }), ...rules.map(accountsOf)],
    text: JSON.stringify([lingerMs, lifeMs, ...shared]),
    channel: `${queue}:`,
    ledgers: (wall) => `[${told.map((one) => one.at(wall)).join(",")}]`,
  };
}

const fingerprint = ({ space, algorithm: { name, params } }: Ledger) => [space, name, params];

function hash(terms: unknown): string {
  return createHash("sha256").update(JSON.stringify(terms)).digest("base64url").slice(0, 12);
}
