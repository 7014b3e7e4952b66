import { type Algorithm, type Answer, type Cells, Mode } from "./algorithm.ts";
import { wholeMicroseconds, wholeNumber } from "./numbers.ts";

export interface ConcurrencyOptions {
  /** Places: a whole number from 1. */
  readonly limit: number;
  /** How long a place is held at most before it counts as lost, unless it is renewed. In milliseconds. */
  readonly leaseMs: number;
}

/**
 * Concurrency: at most `limit` units at once.
 *
 * **Bound**: at no instant are more than `limit` units held by leases that have neither been given
 * back nor run out. A holder that crashes cannot leak its place: its lease ends after `leaseMs`.
 *
 * A lease is named by the receipt (a random integer). Taking under a receipt that is held renews it;
 * a negative cost gives it back, and giving back twice is nothing. `retryAfter` says when enough
 * leases will have run out at the latest: holders usually give back sooner.
 */
export function concurrency({ limit, leaseMs }: ConcurrencyOptions): Algorithm {
  wholeNumber("limit", limit, 1);
  return new Concurrency(limit, wholeMicroseconds("leaseMs", leaseMs));
}

/** Others may hold places for longer than an algorithm that carries: an hour is believed, in microseconds. */
const LONGEST_CARRIED = 3_600_000_000;

/** Leases in the order in which they end: `[receipt, end, units, …]`. */
const FIELDS = 3;

class Concurrency implements Algorithm {
  readonly name = "concurrency";
  readonly width = 0;
  readonly clock = "elapsed";
  readonly params: readonly number[];
  readonly capacity: number;
  readonly carries: boolean;
  readonly #lease: number;
  readonly #longest: number;

  constructor(limit: number, lease: number, carries = false) {
    this.carries = carries;
    this.#longest = carries ? Math.max(lease, LONGEST_CARRIED) : lease;
    this.params = [limit, lease];
    this.capacity = limit;
    this.#lease = lease;
  }

  apply(cells: Cells, _offset: number, now: number, cost: number, mode: Mode, receipt: number, answer: Answer): void {
    const leases = mode === Mode.peek ? [...cells] : (cells as number[]);
    this.#dropEnded(leases, now);
    const isHeld = cost !== 0 && receipt !== 0 && drop(leases, receipt);
    let held = unitsOf(leases);
    answer.allowed = cost <= 0 || isHeld || mode === Mode.force || held + cost <= this.capacity;
    answer.retryAfter = answer.allowed ? 0 : this.#retryAfter(leases, now, held + cost - this.capacity, cost);
    answer.receipt = receipt;
    if (answer.allowed && cost > 0) {
      insert(leases, receipt, now + this.#lease, cost);
      held += cost;
    }
    answer.remaining = Math.max(0, this.capacity - held);
    answer.resetAfter = leases.length === 0 ? 0 : leases[leases.length - 2]! - now;
  }

  isFresh(cells: Cells, _offset: number, now: number): boolean {
    return cells.length === 0 || cells[cells.length - 2]! <= now;
  }

  /** Leases stay as long as they were taken for, and the places that they hold count. */
  carrying(): Algorithm {
    return new Concurrency(this.capacity, this.#lease, true);
  }

  share(parts: number): Algorithm {
    return new Concurrency(Math.max(1, Math.floor(this.capacity / parts)), this.#lease);
  }

  /** A lease that seems to end too late is from before the clock was set back: it gets a whole term from now. */
  #dropEnded(leases: number[], now: number): void {
    let kept = 0;
    for (let i = 0; i < leases.length; i += FIELDS) {
      if (leases[i + 1]! <= now) continue;
      leases[kept] = leases[i]!;
      leases[kept + 1] = Math.min(leases[i + 1]!, now + this.#longest);
      leases[kept + 2] = leases[i + 2]!;
      kept += FIELDS;
    }
    leases.length = kept;
  }

  #retryAfter(leases: number[], now: number, excess: number, cost: number): number {
    if (cost > this.capacity) return Infinity;
    let freed = 0;
    for (let i = 0; ; i += FIELDS) {
      freed += leases[i + 2]!;
      // Sums of units that were forced beyond all reason are rounded: then it is the last lease.
      if (freed >= excess || i + FIELDS >= leases.length) return leases[i + 1]! - now;
    }
  }
}

/** At the end, except before leases that somebody with longer terms has taken. */
function insert(leases: number[], receipt: number, end: number, units: number): void {
  let i = leases.length;
  while (i > 0 && leases[i - 2]! > end) i -= FIELDS;
  leases.splice(i, 0, receipt, end, units);
}

function unitsOf(leases: readonly number[]): number {
  let units = 0;
  for (let i = 2; i < leases.length; i += FIELDS) units += leases[i]!;
  return units;
}

function drop(leases: number[], receipt: number): boolean {
  for (let i = 0; i < leases.length; i += FIELDS) {
    if (leases[i] === receipt) {
      leases.splice(i, FIELDS);
      return true;
    }
  }
  return false;
}
