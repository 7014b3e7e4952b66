import { MadeAttempt } from "./attempt.ts";
import { type BetweenAttempts, betweenAttempts } from "./between-attempts.ts";
import type { BreakerChange } from "./breaker/options.ts";
import { type Verdict, verdictOf } from "./breaker/verdict.ts";
import { type Attempting, Call, type CallTerms, type Make } from "./call.ts";
import { discard, type End } from "./end.ts";
import { OutboundError } from "./errors.ts";
import type { OutboundEvent } from "./events.ts";
import type { Heard, HeardCall } from "./feedback/hearing.ts";
import { responseOf } from "./feedback/response-of.ts";
import type { ResponseHead } from "./feedback/statement.ts";
import { inTime } from "./in-time.ts";
import { planAfter } from "./plan-after.ts";
import { classify, type Outcome, type OutcomeClass } from "./retry/classify.ts";
import type { RetryPlan } from "./retry/plan.ts";
import { type QueuedCall, startedOf, type Units } from "./scheduler/queued-call.ts";
import type { SharedUpstream } from "./shared-upstream.ts";
import { rankOf, type UpstreamSettings } from "./upstream-options.ts";

/** Makes attempts, listens to what comes of them, and makes others where that may help. */
export class Attempts implements Attempting {
  readonly counts = { started: 0, retried: 0, refused: 0 };
  readonly #settings: UpstreamSettings;
  readonly #shared: SharedUpstream;
  readonly #announce: ((event: OutboundEvent) => void) | undefined;
  readonly #closing = new AbortController();
  readonly closing = this.#closing.signal;
  readonly #between: BetweenAttempts;
  /** Calls that have come and not ended: they wait, run, or wait for another attempt. */
  #open = 0;
  #onIdle: (() => void) | undefined;

  constructor(
    settings: UpstreamSettings,
    shared: SharedUpstream,
    announce: ((event: OutboundEvent) => void) | undefined,
  ) {
    this.#settings = settings;
    this.#shared = shared;
    this.#announce = announce;
    this.#between = betweenAttempts(shared.line);
  }

  /** A call has come. */
  came(): void {
    this.#open++;
  }

  /** Resolves when all calls that came have ended, or after the time. */
  drained(withinMs: number): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#shared.line.clock.after(withinMs, resolve);
      this.#onIdle = () => {
        cancel();
        resolve();
      };
    });
  }

  /** @throws OutboundError while the breaker is open, if calls then fail */
  refuseIfOpen(): void {
    const { breaker, line } = this.#shared;
    if (breaker === undefined || !this.#shared.isTroubled) return;
    const now = line.clock.elapsed();
    const { state, openUntilMs = 0 } = breaker.state(now / 1000);
    if (state !== "open" || this.#waitsForBreaker) return;
    throw line.error("breaker-open", { retryAfterMs: Math.ceil(openUntilMs - now / 1000) });
  }

  /** A call that has to wait, or has waited. */
  callOf<T>(make: Make<T>, terms: CallTerms, arrivedAt: number): Call<T> {
    const { priority = "normal", maxWaitMs = this.#settings.maxWaitMs } = terms.options;
    return new Call(make, terms, rankOf(priority), arrivedAt, arrivedAt + maxWaitMs * 1000);
  }

  /** A call that waited has its units, and starts now. */
  begin<T>(call: Call<T>, units: Units, takenAt = this.#shared.line.clock.elapsed()): Promise<T> {
    const { line } = this.#shared;
    line.started(call);
    return this.attempt(call.make, call.terms, units, takenAt, call);
  }

  /** A call that has its units, since `now`, starts. Without `call` it came then. */
  attempt<T>(make: Make<T>, terms: CallTerms, units: Units, now: number, call: Call<T> | undefined): Promise<T> {
    const { breaker, hearing, line, budget } = this.#shared;
    const admission = breaker?.admit(now / 1000);
    if (admission?.pass === false) {
      line.starts.unused({ lane: terms.lane, cost: terms.cost, started: startedOf(units) });
      return this.#heldBack(call ?? this.callOf(make, terms, now), admission.retryAfterMs, now);
    }
    this.counts.started++;
    if (call === undefined || ++call.made === 1) budget?.started(now / 1000);
    else {
      this.counts.retried++;
      discard(call.otherwise);
      call.otherwise = undefined;
    }
    line.running++;
    if (this.#announce !== undefined) {
      const waitedMs = call === undefined ? 0 : (now - call.arrivedAt) / 1000;
      this.#announce({ upstream: this.#settings.name, type: "started", attempt: call?.made ?? 1, waitedMs });
    }
    const sequence = hearing.sent(terms.cost);
    return this.#make(new MadeAttempt(make, terms, call, units, now, admission, sequence));
  }

  /** A call is not made. */
  refused(error: unknown): void {
    this.#left();
    this.counts.refused++;
    if (!(error instanceof OutboundError)) return;
    const { upstream, reason, retryAfterMs } = error;
    this.#announce?.({ upstream, type: "refused", reason, ...(retryAfterMs !== undefined && { retryAfterMs }) });
  }

  /** Whoever runs is told to stop, nobody tries again, and whoever waits leaves. */
  abort(): void {
    const { line } = this.#shared;
    const error = line.error("closed");
    line.refuse((call) => this.#isOwn(call), "closed");
    this.#closing.abort(error);
    this.#between.stop(error);
  }

  /** The breaker opened, or lets calls pass again. */
  breakerChanged({ to, openForMs }: BreakerChange): void {
    // The call whose admission changed it goes first.
    if (to !== "open") queueMicrotask(() => this.#between.letOn());
    else if (!this.#waitsForBreaker) {
      this.#shared.line.refuse((call) => this.#isOwn(call), "breaker-open", Math.ceil(openForMs));
    }
  }

  #isOwn(call: QueuedCall): boolean {
    return call instanceof Call && call.terms.attempts === this;
  }

  #left(): void {
    this.#open--;
    if (this.#open === 0) this.#onIdle?.();
  }

  get #waitsForBreaker(): boolean {
    const { breaker } = this.#settings;
    return breaker !== false && breaker.whenOpen === "wait";
  }

  /** The breaker does not let a call pass: it waits if it wants to and there is time, else that is its end. */
  #heldBack<T>(call: Call<T>, retryAfterMs: number, now: number): Promise<T> {
    if (this.#waitsForBreaker && now + retryAfterMs * 1000 <= call.deadline) {
      return this.#between.wait(call, retryAfterMs, true);
    }
    const error = this.#shared.line.error("breaker-open", { retryAfterMs: Math.ceil(retryAfterMs) });
    return new Promise((resolve) => {
      call.settle = resolve;
      call.refuse(error);
    });
  }

  #make<T>(made: MadeAttempt<T>): Promise<T> {
    const { line } = this.#shared;
    let outcome: T | PromiseLike<T>;
    if (this.#settings.timeoutMs !== Infinity) made.timeout = new AbortController();
    made.begin(line);
    try {
      outcome = made.make(made);
    } catch (error) {
      return new Promise((resolve) => resolve(this.failed(made, error)));
    }
    if (made.timeout !== undefined) {
      const { name, timeoutMs } = this.#settings;
      outcome = inTime(Promise.resolve(outcome), { clock: line.clock, name, timeoutMs, timeout: made.timeout });
    }
    // Each call that runs has these two: bound methods are smaller than functions with what they remember.
    return (outcome instanceof Promise ? outcome : Promise.resolve(outcome)).then(
      made.returned.bind(made),
      made.failed.bind(made),
    );
  }

  returned<T>(made: MadeAttempt<T>, value: T): T | Promise<T> {
    const response = typeof value === "object" ? responseOf({ value }) : undefined;
    if (response !== undefined) {
      made.heard = this.hear(made, response);
      const outcome = { status: response.status, isThrottled: made.heard.isThrottled };
      return this.#retryOrEnd(made, { value }, outcome, this.#over(made, verdictOf(outcome)));
    }
    const now = this.#over(made, "success");
    if (this.#announce !== undefined) this.#announceEnd(made, "ok", now);
    this.#left();
    return value;
  }

  failed<T>(made: MadeAttempt<T>, error: unknown): T | Promise<T> {
    const response = responseOf({ error });
    if (response !== undefined) made.heard = this.hear(made, response);
    const outcome =
      response === undefined ? { error } : { status: response.status, isThrottled: made.heard?.isThrottled };
    // Whoever leaves says nothing about the upstream, whatever error he leaves with.
    const hasLeft = this.#isLeft(made);
    const now = this.#over(made, hasLeft ? "neither" : verdictOf(outcome));
    return this.#retryOrEnd(made, { error }, outcome, now);
  }

  /** Nobody waits for it any more. */
  #isLeft({ terms }: MadeAttempt<any>): boolean {
    return terms.options.signal?.aborted === true || this.closing.aborted;
  }

  /** An attempt has ended. What its response says has been heard before the next call starts. Returns the time. */
  #over(made: MadeAttempt<any>, verdict: Verdict): number {
    const { line, breaker, hearing } = this.#shared;
    const now = line.clock.elapsed();
    made.end();
    if (made.heard === undefined) hearing.lost(made.sequence);
    if (made.admission !== undefined) {
      breaker!.settle(made.admission, verdict, (now - made.startedAt) / 1000, now / 1000);
    }
    line.running--;
    line.ended(made);
    return now;
  }

  #announceEnd(made: MadeAttempt<any>, outcome: OutcomeClass, now: number, plan?: RetryPlan): void {
    this.#announce?.({
      upstream: this.#settings.name,
      type: "ended",
      attempt: made.attempt,
      outcome,
      tookMs: (now - made.startedAt) / 1000,
      ...(plan !== undefined && "stop" in plan && { stop: plan.stop }),
    });
  }

  #retryOrEnd<T>(made: MadeAttempt<T>, end: End<T>, outcome: Outcome, now: number): T | Promise<T> {
    const outcomeClass = classify(outcome);
    const isFinal = outcomeClass === "ok" || this.#isLeft(made);
    const call = isFinal ? undefined : (made.call ?? this.#callAgain(made));
    const plan = call && planAfter(made, outcome, { settings: this.#settings, budget: this.#shared.budget, call, now });
    this.#announceEnd(made, outcomeClass, now, plan);
    if (call !== undefined && plan !== undefined && "delayMs" in plan) {
      const { name: upstream } = this.#settings;
      this.#announce?.({ upstream, type: "retry", attempt: made.attempt, delayMs: plan.delayMs });
      call.otherwise = end;
      return this.#between.wait(call, plan.delayMs);
    }
    this.#left();
    if ("error" in end) throw end.error;
    return end.value;
  }

  /** A call that started when it came, and may be tried again. */
  #callAgain<T>({ make, terms, startedAt }: MadeAttempt<T>): Call<T> {
    const call = this.callOf(make, terms, startedAt);
    call.made = 1;
    return call;
  }

  hear(made: HeardCall, response: ResponseHead): Heard {
    const heard = this.#shared.hearing.heard(response, made);
    if (this.#announce === undefined) return heard;
    const { name: upstream } = this.#settings;
    const { isThrottled, pausedForMs, elsewhere } = heard;
    if (isThrottled || pausedForMs !== undefined) {
      this.#announce({ upstream, type: "throttled", ...(pausedForMs !== undefined && { pausedForMs }) });
    }
    for (const { limit, units } of elsewhere) this.#announce({ upstream, type: "used-elsewhere", limit, units });
    return heard;
  }

  correct(made: MadeAttempt<unknown>, cost: number): void {
    const units = cost - made.charged;
    made.charged = cost;
    if (units !== 0) this.#shared.line.starts.correct(made, units);
  }
}
