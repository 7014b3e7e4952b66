import type { LoggedCall } from "../logged-call.ts";

/** Puts calls into the order of their times, as far as a bounded memory goes. */
export interface InOrder {
  /** Adds calls, and returns those whose turn has come. */
  push(calls: readonly LoggedCall[]): readonly LoggedCall[];
  /** The rest. */
  end(): readonly LoggedCall[];
  /** Calls whose turn has not come. */
  readonly held: number;
  /** Calls that stood behind a later one, and were put right. */
  readonly moved: number;
  /** Calls that came too late for that: they are taken for calls of the time that had been reached. */
  readonly late: number;
  /** By how much at most, in milliseconds. */
  readonly latestMs: number;
}

export interface InOrderOptions {
  /** How far back a call may stand, in milliseconds of the log. @default 10_000 */
  readonly windowMs?: number;
  /** Calls that are held at most. @default 50_000 */
  readonly most?: number;
}

export function inOrder({ windowMs = 10_000, most = 50_000 }: InOrderOptions = {}): InOrder {
  let held: LoggedCall[] = [];
  let [moved, late, latestMs] = [0, 0, 0];
  /** Nothing before this can be put right. */
  let reached = -Infinity;

  /** Behind the last one that is not later. */
  function insert(call: LoggedCall): void {
    let low = 0;
    let high = held.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (held[middle]!.time <= call.time) low = middle + 1;
      else high = middle;
    }
    held.splice(low, 0, call);
  }

  function add(call: LoggedCall): void {
    if (call.time < reached) {
      late++;
      latestMs = Math.max(latestMs, reached - call.time);
      call.time = reached;
    }
    if (held.length === 0 || call.time >= held.at(-1)!.time) held.push(call);
    else {
      moved++;
      insert(call);
    }
  }

  /** Those that nothing can come before any more. */
  function due(): readonly LoggedCall[] {
    if (held.length === 0) return [];
    const before = held.at(-1)!.time - windowMs;
    let count = Math.max(0, held.length - most);
    while (count < held.length && held[count]!.time < before) count++;
    if (count === 0) return [];
    const ready = held.slice(0, count);
    held = held.slice(count);
    reached = ready.at(-1)!.time;
    return ready;
  }

  return {
    push(calls) {
      for (const call of calls) add(call);
      return due();
    },
    end() {
      const rest = held;
      held = [];
      return rest;
    },
    get held() {
      return held.length;
    },
    get moved() {
      return moved;
    },
    get late() {
      return late;
    },
    get latestMs() {
      return latestMs;
    },
  };
}
