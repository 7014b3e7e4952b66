import { type LimitScope, scopeKey } from "../limits.ts";
import { InFlight } from "./in-flight.ts";

/** A limit of calls that run, kept in this process: one for all, or one for each tenant or endpoint. */
export class Places {
  readonly per: LimitScope;
  readonly #upstream: string;
  readonly #capacity: number;
  readonly #linger: number;
  readonly #isPerCall: boolean;
  readonly #byKey = new Map<string, InFlight>();

  /** @param isPerCall a call takes one, whatever it costs */
  constructor(upstream: string, per: LimitScope, capacity: number, lingerUs: number, isPerCall: boolean) {
    this.per = per;
    this.#upstream = upstream;
    this.#capacity = capacity;
    this.#linger = lingerUs;
    this.#isPerCall = isPerCall;
  }

  /** How long until the call can start; Infinity when that depends on calls that are running. In microseconds. */
  wait(lane: string, cost: number, now: number): number {
    return this.#byKey.get(this.#keyOf(lane))?.wait(this.#units(cost), now) ?? 0;
  }

  /** How long until the last of so many units can start at the soonest. */
  soonest(lane: string, cost: number, now: number): number {
    if (this.#isPerCall) return 0;
    const inFlight = this.#byKey.get(this.#keyOf(lane)) ?? new InFlight(this.#capacity, this.#linger);
    return inFlight.soonest(cost, now);
  }

  start(lane: string, cost: number): void {
    const key = this.#keyOf(lane);
    let inFlight = this.#byKey.get(key);
    if (inFlight === undefined) {
      inFlight = new InFlight(this.#capacity, this.#linger);
      this.#byKey.set(key, inFlight);
    }
    inFlight.start(this.#units(cost));
  }

  /** A call takes other units than it was started with. After its end nobody knows which units were its own: none come back. */
  correct(lane: string, units: number, isOver: boolean, now: number): void {
    if (this.#isPerCall || (isOver && units < 0)) return;
    this.start(lane, 0);
    const inFlight = this.#byKey.get(this.#keyOf(lane))!;
    inFlight.correct(units);
    if (isOver) inFlight.end(units, now);
  }

  undo(lane: string, cost: number, now: number): void {
    this.#byKey.get(this.#keyOf(lane))?.undo(this.#units(cost));
    this.#tidy(now);
  }

  end(lane: string, cost: number, now: number): void {
    this.#byKey.get(this.#keyOf(lane))?.end(this.#units(cost), now);
    this.#tidy(now);
  }

  /** Units of calls are held. */
  isUsed(now: number): boolean {
    return [...this.#byKey.values()].some((inFlight) => !inFlight.isIdle(now));
  }

  /** Look at the one that was looked at longest ago: tenants that have gone do not stay for ever. */
  #tidy(now: number): void {
    const [oldest] = this.#byKey;
    if (oldest === undefined || this.per === "upstream") return;
    const [key, inFlight] = oldest;
    this.#byKey.delete(key);
    if (!inFlight.isIdle(now)) this.#byKey.set(key, inFlight);
  }

  #units(cost: number): number {
    return this.#isPerCall ? 1 : cost;
  }

  #keyOf(lane: string): string {
    return scopeKey(this.per, this.#upstream, lane);
  }
}
