import type { BreakerPhase } from "../../../src/outbound/breaker/facts.ts";
import type { Verdict } from "../../../src/outbound/breaker/verdict.ts";

/** What the model is told; the breaker's defaults and jitter are not the model's concern. */
export interface ModelOptions {
  readonly failureRate: number;
  readonly slowMs: number;
  readonly slowRate: number;
  readonly minimumCalls: number;
  readonly windowMs: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
  readonly probes: number;
  readonly probeTimeoutMs: number;
}

interface ModelCall {
  readonly generation: number;
  readonly isProbe: boolean;
  readonly startMs: number;
  isOver: boolean;
}

interface Counted {
  readonly atMs: number;
  readonly isFailure: boolean;
  readonly isSlow: boolean;
}

/** A circuit breaker as the rules say it, with lists of all that ever happened: slow, and hard to get wrong. */
export class BreakerModel {
  state: BreakerPhase = "closed";
  generation = 0;
  nowMs = 0;
  openUntilMs = 0;
  readonly calls: ModelCall[] = [];
  #counted: Counted[] = [];
  #openings = 0;
  readonly #options: ModelOptions;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  /** @returns whether a call passes, and if so whether as a probe. */
  admit(): "call" | "probe" | "no" {
    this.#look();
    if (this.state === "open" || (this.state === "half-open" && this.#placesLeft() <= 0)) return "no";
    const isProbe = this.state === "half-open";
    this.calls.push({ generation: this.generation, isProbe, startMs: this.nowMs, isOver: false });
    return isProbe ? "probe" : "call";
  }

  settle(call: ModelCall, verdict: Verdict, durationMs: number): void {
    this.#look();
    call.isOver = true;
    if (call.generation !== this.generation || verdict === "neither") return;
    this.#counted.push({
      atMs: this.nowMs,
      isFailure: verdict === "failure",
      isSlow: durationMs > this.#options.slowMs,
    });
    const { minimumCalls, openMs, maxOpenMs } = this.#options;
    const verdicts = this.state === "closed" ? this.#ofWindow(minimumCalls) : this.#ofAllEndings();
    if (verdicts.size !== 1) return;
    if (verdicts.has("bad")) {
      this.openUntilMs = this.nowMs + Math.min(maxOpenMs, openMs * 2 ** this.#openings++);
      this.#enter("open");
    } else if (this.state === "half-open") {
      this.#openings = 0;
      this.#enter("closed");
    }
  }

  wait(ms: number): void {
    this.nowMs += ms;
    this.#look();
  }

  /** The outcomes that count now. */
  counted(): readonly Counted[] {
    if (this.state !== "closed") return this.#counted;
    const bucketMs = this.#options.windowMs / 10;
    const oldest = Math.floor(this.nowMs / bucketMs) - 9;
    return this.#counted.filter(({ atMs }) => Math.floor(atMs / bucketMs) >= oldest);
  }

  #look(): void {
    if (this.state === "open" && this.nowMs >= this.openUntilMs) this.#enter("half-open");
  }

  #enter(state: BreakerPhase): void {
    this.#counted = state === "open" ? [...this.counted()] : [];
    this.state = state;
    this.generation++;
  }

  #placesLeft(): number {
    const { probes, probeTimeoutMs } = this.#options;
    const held = this.calls.filter(
      (call) => call.generation === this.generation && !call.isOver && this.nowMs < call.startMs + probeTimeoutMs,
    );
    return probes - this.#counted.length - held.length;
  }

  #ofWindow(minimumCalls: number): ReadonlySet<"good" | "bad"> {
    const counted = this.counted();
    return new Set(counted.length < minimumCalls ? [] : [this.#judge(0, 0, counted.length)]);
  }

  /** What all endings come to that the probes which are left may have. */
  #ofAllEndings(): ReadonlySet<"good" | "bad"> {
    const left = this.#options.probes - this.#counted.length;
    const verdicts = new Set<"good" | "bad">();
    for (let failures = 0; failures <= left; failures++) {
      for (let slow = 0; slow <= left; slow++) verdicts.add(this.#judge(failures, slow, this.#options.probes));
    }
    return verdicts;
  }

  #judge(moreFailures: number, moreSlow: number, all: number): "good" | "bad" {
    const counted = this.counted();
    const failures = counted.filter(({ isFailure }) => isFailure).length + moreFailures;
    const slow = counted.filter(({ isSlow }) => isSlow).length + moreSlow;
    const { failureRate, slowRate } = this.#options;
    return failures / all >= failureRate || slow / all >= slowRate ? "bad" : "good";
  }
}
