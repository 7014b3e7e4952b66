import { openSync, readFileSync, writeSync } from "node:fs";
import type { Admission, Interval } from "./checker.ts";

/**
 * What one process did, line by line in a file of its own. Each line is written with one call, before what it
 * announces and after what it reports, so `kill -9` loses no more than the outcome of calls under way: they
 * stay in the log as begun, and are told apart from those that were refused.
 */
export interface CallLog {
  /** A call begins. Returns its number. */
  invoke(key: string, cost: number): number;
  completed(call: number, allowed: boolean): void;
  /** The place of a call is about to be renewed, or was. */
  renewing(call: number): void;
  renewed(call: number, isHeld: boolean): void;
  /** The place of a call is about to be given back. */
  releasing(call: number): void;
  failed(call: number, error: unknown): void;
}

export function callLog(path: string): CallLog {
  const file = openSync(path, "a", 0o600);
  const line = (...parts: readonly (string | number)[]) => {
    writeSync(file, `${parts[0]} ${parts[1]} ${process.hrtime.bigint()} ${parts.slice(2).join(" ")}\n`);
  };
  let calls = 0;
  return {
    invoke(key, cost) {
      line("invoke", ++calls, key, cost);
      return calls;
    },
    completed: (call, allowed) => line("completed", call, String(allowed)),
    renewing: (call) => line("renewing", call),
    renewed: (call, isHeld) => line("renewed", call, String(isHeld)),
    releasing: (call) => line("releasing", call),
    failed: (call, error) => line("failed", call, String(error)),
  };
}

/** A call as its process saw it. */
export interface LoggedCall {
  readonly key: string;
  readonly cost: number;
  readonly invoked: number;
  /** Undefined: the process died before, or the call failed. */
  readonly completed?: number;
  readonly allowed: boolean;
  readonly failed?: string;
  readonly renewals: readonly { readonly invoked: number; readonly completed?: number; readonly isHeld: boolean }[];
  readonly released?: number;
}

type Open<T> = { -readonly [K in keyof T]: T[K] };
type Renewal = Open<LoggedCall["renewals"][number]>;

/** @throws Error for a line that is not one of these: only the last may be torn. */
export function readCallLog(path: string): readonly LoggedCall[] {
  const calls = new Map<string, Open<LoggedCall>>();
  const lines = readFileSync(path, "utf8").split("\n");
  for (const line of lines.slice(0, -1)) {
    const [kind, number = "", time, ...rest] = line.split(" ");
    const at = Number(time);
    if (kind === "invoke") {
      calls.set(number, { key: rest[0]!, cost: Number(rest[1]), invoked: at, allowed: false, renewals: [] });
      continue;
    }
    const call = calls.get(number);
    const renewals = call?.renewals as Renewal[] | undefined;
    if (call === undefined || renewals === undefined) throw new Error(`A line of no call: ${line}`);
    if (kind === "completed") Object.assign(call, { completed: at, allowed: rest[0] === "true" });
    else if (kind === "renewing") renewals.push({ invoked: at, isHeld: false });
    else if (kind === "renewed") Object.assign(renewals.at(-1)!, { completed: at, isHeld: rest[0] === "true" });
    else if (kind === "releasing") call.released = at;
    else if (kind === "failed") call.failed = rest.join(" ");
    else throw new Error(`Not a line of a log: ${line}`);
  }
  return [...calls.values()];
}

/** What surely passed. */
export function admissionsIn(calls: readonly LoggedCall[]): readonly Admission[] {
  return calls.flatMap(({ invoked, completed, cost, allowed }) =>
    allowed && completed !== undefined ? [{ invoked, completed, cost }] : [],
  );
}

/** The times in which places were surely held: from an answer until `leaseMs` after its call began, or given back. */
export function placesIn(calls: readonly LoggedCall[], leaseMs: number): readonly Interval[] {
  return calls.flatMap((call) => {
    const grants = [
      { invoked: call.invoked, completed: call.completed, isHeld: call.allowed },
      ...call.renewals,
    ].filter(({ completed, isHeld }) => isHeld && completed !== undefined);
    const places: Interval[] = [];
    for (const { invoked, completed } of grants) {
      const until = Math.min(invoked + leaseMs * 1e6, call.released ?? Infinity);
      const last = places.at(-1);
      // Two intervals of one place are one place.
      if (last !== undefined && completed! <= last.until) places[places.length - 1] = { ...last, until };
      else places.push({ from: completed!, until, weight: call.cost });
    }
    return places;
  });
}
