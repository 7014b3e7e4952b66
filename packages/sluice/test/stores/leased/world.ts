import type { Clock, Store } from "sluice";

/** What happened in a run, by name: a run that saw no fault proves nothing about it. */
export type Faults = Record<
  "lostRequest" | "lostReply" | "twice" | "late" | "pause" | "sleep" | "crash" | "flush",
  number
>;

/** A machine in the world: its clocks run at a rate of their own, and stand still while it sleeps. */
export interface Machine {
  readonly clock: Clock;
  /** Does what falls due there, now or as soon as it runs again. */
  run(action: () => void): void;
  /** It does nothing for a while. With `isAsleep` its monotonic clock stands still too. */
  stop(microseconds: number, isAsleep: boolean): void;
  /** Nothing that was due there happens any more. */
  kill(): void;
  readonly isStopped: boolean;
}

/** Virtual time, in microseconds, and what falls due in it: the same seed, the same run. */
export interface World {
  readonly random: () => number;
  readonly faults: Faults;
  now(): number;
  at(time: number, action: () => void): void;
  /** Until that time, in order; promises are settled after everything that says so. */
  runUntil(time: number): Promise<void>;
  /** Promises have to be settled before time goes on. */
  stir(): void;
  machine(rate: number): Machine;
  readonly trueClock: Clock;
}

/** 2026-01-01T00:50:00Z: an hour of the calendar ends in a run. */
const WALL = Date.UTC(2026, 0, 1, 0, 50) * 1000;

export function world(random: () => number): World {
  let now = 0;
  let isStirred = false;
  const events = queue();
  const at = (time: number, action: () => void) => events.push({ time: Math.max(now, time), action });

  function machine(rate: number): Machine {
    const wallOffset = Math.floor((random() - 0.5) * 4_000_000);
    let slept = 0;
    let stoppedAt = 0;
    let asleep = false;
    let stoppedUntil = 0;
    let isKilled = false;
    const elapsed = () =>
      Math.floor((now - slept - (asleep && now < stoppedUntil ? now - stoppedAt : 0)) * rate) + 1_000_000;
    const run = (action: () => void): void => {
      if (isKilled) return;
      if (now < stoppedUntil) at(stoppedUntil, () => run(action));
      else {
        if (asleep) {
          slept += stoppedUntil - stoppedAt;
          asleep = false;
        }
        action();
      }
    };
    return {
      run,
      clock: {
        elapsed,
        wall: () => WALL + now + wallOffset,
        after(ms, callback) {
          let isCancelled = false;
          at(now + (ms * 1000) / rate, () => run(() => isCancelled || callback()));
          return () => {
            isCancelled = true;
          };
        },
      },
      stop(microseconds, isAsleep) {
        if (now < stoppedUntil) return;
        run(() => {});
        stoppedAt = now;
        stoppedUntil = now + microseconds;
        asleep = isAsleep;
      },
      kill() {
        isKilled = true;
      },
      get isStopped() {
        return isKilled || now < stoppedUntil;
      },
    };
  }

  return {
    random,
    faults: { lostRequest: 0, lostReply: 0, twice: 0, late: 0, pause: 0, sleep: 0, crash: 0, flush: 0 },
    now: () => now,
    at,
    stir() {
      isStirred = true;
    },
    async runUntil(end) {
      for (let event = events.pop(end); event !== undefined; event = events.pop(end)) {
        now = event.time;
        event.action();
        if (isStirred) {
          isStirred = false;
          await new Promise<void>((resolve) => setImmediate(resolve));
        }
      }
      now = end;
    },
    machine,
    trueClock: { elapsed: () => now + 1_000_000, wall: () => WALL + now, after: () => () => {} },
  };
}

interface Event {
  readonly time: number;
  readonly action: () => void;
}

/** Events in the order of their time; of equal times, in the order in which they were made. */
function queue() {
  const heap: (Event & { readonly order: number })[] = [];
  let order = 0;
  const isBefore = (a: number, b: number) =>
    heap[a]!.time < heap[b]!.time || (heap[a]!.time === heap[b]!.time && heap[a]!.order < heap[b]!.order);
  const swap = (a: number, b: number) => ([heap[a], heap[b]] = [heap[b]!, heap[a]!]);
  return {
    push(event: Event): void {
      heap.push({ ...event, order: order++ });
      for (let i = heap.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1;
        if (!isBefore(i, parent)) break;
        swap(i, parent);
        i = parent;
      }
    },
    pop(end: number): Event | undefined {
      const first = heap[0];
      if (first === undefined || first.time > end) return undefined;
      const last = heap.pop()!;
      if (heap.length > 0) heap[0] = last;
      for (let i = 0; ; ) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && isBefore(child, least)) least = child;
        if (least === i) return first;
        swap(i, least);
        i = least;
      }
    },
  };
}

/** How bad the way to the store is: parts of all calls, and microseconds. */
export interface Weather {
  readonly delay: number;
  readonly lostRequest: number;
  readonly lostReply: number;
  readonly twice: number;
  readonly late: number;
}

/** The store as a process sees it over a network. Handing back is done at most once, as a store has to. */
export function overNetwork(
  store: Store,
  { random, faults, at, now, stir }: World,
  machine: Machine,
  weather: Weather,
): Store {
  const timeout = 20 * weather.delay;
  const chance = (part: number) => random() < part;
  const delay = () => {
    if (!chance(weather.late)) return random() * weather.delay;
    faults.late++;
    return random() * 6 * weather.delay;
  };
  const call = <T>(act: () => T, mayBeTwice: boolean) =>
    new Promise<T>((resolve, reject) => {
      const arrives = now() + delay();
      const hears = (time: number, tell: () => void) =>
        at(time, () =>
          machine.run(() => {
            stir();
            tell();
          }),
        );
      const fails = () => hears(now() + timeout, () => reject(new Error("timed out")));
      if (chance(weather.lostRequest)) {
        faults.lostRequest++;
        fails();
        return;
      }
      const isTwice = mayBeTwice && chance(weather.twice);
      at(arrives, () => {
        const answer = act();
        if (chance(weather.lostReply)) {
          faults.lostReply++;
          fails();
        } else hears(now() + delay(), () => resolve(answer));
      });
      if (isTwice) {
        faults.twice++;
        at(arrives + delay(), act);
      }
    });
  return {
    clock: machine.clock,
    take: (demands, options) =>
      call(
        () => store.take(demands, options) as never,
        demands.every(({ cost }) => cost >= 0),
      ),
    forget: (accounts) => call(() => store.forget(accounts) as never, true),
  };
}
