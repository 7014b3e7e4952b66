import { PRIORITIES, type Priority, QueuedCall, type Started } from "../../../src/outbound/scheduler/queued-call.ts";

/** A call that only stands in a queue. */
export class TestCall extends QueuedCall {
  readonly name: string;

  constructor({ name = "", lane = "~-~-", cost = 1, priority = "normal", arrivedAt = 0 }: TestCallOptions = {}) {
    super(lane, cost, PRIORITIES.indexOf(priority), arrivedAt, Infinity, undefined);
    this.name = name;
  }

  start(_started: Started): void {}
  refuse(_error: unknown): void {}
}

export interface TestCallOptions {
  readonly name?: string;
  readonly lane?: string;
  readonly cost?: number;
  readonly priority?: Priority;
  readonly arrivedAt?: number;
}
