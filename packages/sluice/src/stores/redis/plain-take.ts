import type { Verdict } from "../../algorithms/algorithm.ts";
import { block } from "../../algorithms/block.ts";
import type { Demand, Ledger, Taken } from "../../limiter/store.ts";
import type { KeyNames } from "./key-names.ts";
import type { PlainTerms } from "./plain-script.ts";

/** Units of one quota for one key, which may be blocked, for one reason or several: what nearly all calls are. */
export interface PlainTake {
  readonly terms: PlainTerms;
  readonly quota: Ledger;
  readonly blocks: readonly Ledger[];
  readonly key: string;
  readonly cost: number;
  readonly least: number | undefined;
}

/** Makes an answer. Where it is told nothing of blocks there are none. It must not keep the record that it is told. */
export type Decided<T> = (quota: Taken, blocks?: readonly Taken[]) => T;

/** A plain take that waits to be sent, and to be answered. */
export class PendingTake<T = any> {
  readonly take: PlainTake;
  readonly fail: (error: unknown) => void;
  readonly #resolve: (value: T) => void;
  readonly #decided: Decided<T>;

  constructor(take: PlainTake, decided: Decided<T>, resolve: (value: T) => void, fail: (error: unknown) => void) {
    this.take = take;
    this.fail = fail;
    this.#resolve = resolve;
    this.#decided = decided;
  }

  settle(quota: Taken, blocks?: readonly Taken[]): void {
    this.#resolve(this.#decided(quota, blocks));
  }
}

/** What the script is sent. */
export interface PlainRequest {
  readonly keys: readonly string[];
  readonly args: readonly string[];
  /** The takes in the order of the reply. */
  readonly order: readonly PendingTake[];
  /** Whether costs were given, and so the reply has the granted units. */
  readonly hasCosts: boolean;
}

export const NOT_BLOCKED: Verdict = { allowed: true, remaining: 0, retryAfter: 0, resetAfter: 0, receipt: 0 };

/** Demands as a plain take, if they are one. */
export function plainTakeOf(
  demands: readonly Demand[],
  termsOf: (ledger: Ledger) => PlainTerms | undefined,
): PlainTake | undefined {
  const [quota, ...blocks] = demands;
  if (quota === undefined || !(quota.cost > 0) || (quota.receipt ?? 0) !== 0) return undefined;
  if (isElsewhere(quota) || blocks.some((demand) => !isBlock(demand) || demand.key !== quota.key)) return undefined;
  if (quota.least !== undefined && !(quota.least > 0)) return undefined;
  const terms = termsOf(quota.ledger);
  if (terms === undefined) return undefined;
  const { ledger, key, cost, least } = quota;
  return { terms, quota: ledger, blocks: blocks.map((demand) => demand.ledger), key, cost, least };
}

const isBlock = (demand: Demand): boolean =>
  demand.ledger.algorithm === block &&
  demand.cost > 0 &&
  demand.receipt === undefined &&
  demand.least === undefined &&
  !isElsewhere(demand);

/** Whether it has another name than its key alone gives. */
const isElsewhere = ({ key, tag }: Demand): boolean => tag !== undefined && tag !== key;

/** The same in the words of the script of everything. */
export function demandsOf({ quota, blocks, key, cost, least }: PlainTake): readonly Demand[] {
  const demand = { ledger: quota, key, cost, ...(least !== undefined && { least }) };
  return [demand, ...blocks.map((ledger) => ({ ledger, key, cost: 1 }))];
}

/**
 * Writes a request for takes of one ledger.
 *
 * @param now 0: the time of Redis
 * @param isGuarded names the block of each key, instead of the one key that is there while any is blocked
 */
export function plainRequest(
  takes: readonly PendingTake[],
  names: KeyNames,
  now: number,
  isGuarded: boolean,
): PlainRequest {
  const { quota, blocks } = takes[0]!.take;
  const isSimple = areUnitsOfDifferentKeys(takes);
  const groups = isSimple ? [] : byKey(takes);
  const order = isSimple ? takes : groups.flat();
  const firsts = isSimple ? takes : groups.map(([first]) => first!);
  const keys = firsts.map(({ take: { key } }) => names.of({ ledger: quota, key }));
  const count = keys.length;
  for (const ledger of blocks) {
    if (isGuarded) for (const { take } of firsts) keys.push(names.of({ ledger, key: take.key }));
    else keys.push(names.marker(ledger));
  }
  const isUsual = isSimple && now === 0 && !isGuarded && blocks.length === 1;
  const head = `${count},${now},${isGuarded ? 1 : 0}`;
  return {
    keys,
    args: isUsual ? [] : [`[${isSimple ? head : [head, ...groups.map(tailOf)].join(",")}]`],
    order,
    hasCosts: !isSimple,
  };
}

function areUnitsOfDifferentKeys(takes: readonly PendingTake[]): boolean {
  for (const { take } of takes) if (take.cost !== 1 || take.least !== undefined) return false;
  return takes.length === 1 || new Set(takes.map(({ take }) => take.key)).size === takes.length;
}

/** Takes of the same account together, in the order in which the accounts were named first. */
function byKey(takes: readonly PendingTake[]): PendingTake[][] {
  const groups = new Map<string, PendingTake[]>();
  for (const pending of takes) {
    const { key } = pending.take;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [pending]);
    else group.push(pending);
  }
  return [...groups.values()];
}

function tailOf(group: readonly PendingTake[]): string {
  let text = String(group.length);
  for (const { take } of group) text += `,${take.cost},${take.least ?? take.cost}`;
  return text;
}

/** Whether two takes look at the same blocks. */
export function haveSameBlocks({ blocks: a }: PlainTake, { blocks: b }: PlainTake): boolean {
  return a === b || (a.length === b.length && a.every(({ space }, i) => space === b[i]!.space));
}
