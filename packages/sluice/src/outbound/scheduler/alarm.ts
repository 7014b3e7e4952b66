import type { Clock } from "../../limiter/clock.ts";
import { Heap } from "./heap.ts";

/** Calls back at a time that can be moved. */
export interface Alarm {
  /** Call back at `due` (on the clock's elapsed time, in microseconds), and at no other time that was set before. */
  set(due: number): void;
  cancel(): void;
}

interface Entry {
  readonly due: number;
  /** Of those that are due at the same time, the one that was set first rings first. */
  readonly order: number;
  readonly ring: () => void;
  /** Set anew or cancelled since: what stands in the heap for it is void. */
  isVoid: boolean;
}

const MILLISECOND = 1000;
const wheels = new WeakMap<Clock, Wheel>();

/**
 * An alarm of this process: all alarms over one clock share one timer.
 *
 * The timer keeps the process alive while somebody waits for an alarm, unless it rings in the background.
 */
export function alarm(clock: Clock, ring: () => void): Alarm {
  let wheel = wheels.get(clock);
  if (wheel === undefined) {
    wheel = new Wheel(clock);
    wheels.set(clock, wheel);
  }
  return wheel.alarm(ring);
}

class Wheel {
  readonly #clock: Clock;
  readonly #entries = new Heap<Entry>((a, b) => a.due < b.due || (a.due === b.due && a.order < b.order));
  #sets = 0;
  #voids = 0;
  #armedFor = Infinity;
  #disarm: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  alarm(ring: () => void): Alarm {
    let entry: Entry | undefined;
    const cancel = (): void => {
      if (entry === undefined) return;
      entry.isVoid = true;
      this.#voids++;
      entry = undefined;
      this.#tidy();
    };
    return {
      cancel,
      set: (due) => {
        if (entry?.due === due) return;
        cancel();
        const set: Entry = {
          due,
          order: ++this.#sets,
          isVoid: false,
          ring: () => {
            if (entry === set) entry = undefined;
            ring();
          },
        };
        entry = set;
        this.#entries.push(set);
        this.#arm();
      },
    };
  }

  #arm(): void {
    const due = this.#entries.first()?.due ?? Infinity;
    if (due === this.#armedFor) return;
    this.#disarm();
    this.#armedFor = due;
    this.#disarm = () => {};
    if (due === Infinity) return;
    const left = Math.max(0, due - this.#clock.elapsed()) / MILLISECOND;
    this.#disarm = this.#clock.after(left, () => this.#ring());
  }

  #ring(): void {
    this.#armedFor = Infinity;
    this.#disarm = () => {};
    const now = this.#clock.elapsed();
    for (let first = this.#entries.first(); first !== undefined; first = this.#entries.first()) {
      if (!first.isVoid && first.due > now) break;
      this.#entries.shift();
      if (first.isVoid) this.#voids--;
      else first.ring();
    }
    this.#arm();
  }

  /** Void entries at the front would ring for nothing, and keep a process alive; too many take room. */
  #tidy(): void {
    while (this.#entries.first()?.isVoid) {
      this.#entries.shift();
      this.#voids--;
    }
    if (this.#voids > 32 && this.#voids > this.#entries.size / 2) {
      this.#entries.keep(({ isVoid }) => !isVoid);
      this.#voids = 0;
    }
    this.#arm();
  }
}
