import { isPromise } from "../limiter/reply.ts";
import { AttemptContext } from "./attempt.ts";
import type { Admission } from "./breaker/breaker.ts";
import { verdictOf } from "./breaker/verdict.ts";
import { Call } from "./call.ts";
import { OutboundError } from "./errors.ts";
import type { OutboundEvent } from "./events.ts";
import { createHearing, type Heard } from "./feedback/hearing.ts";
import { responseOf } from "./feedback/response-of.ts";
import type { ResponseHead } from "./feedback/statement.ts";
import { inTime } from "./in-time.ts";
import { classify, type Outcome } from "./retry/classify.ts";
import { mayRepeat } from "./retry/may-repeat.ts";
import { planRetry } from "./retry/plan.ts";
import { createRetryBudget } from "./retry/retry-budget.ts";
import type { Started } from "./scheduler/queued-call.ts";
import type { Running } from "./scheduler/starts.ts";
import type { SharedUpstream } from "./shared-upstream.ts";
import type { UpstreamSettings } from "./upstream-options.ts";

/** An attempt that is being made. */
interface Run extends Running {
  readonly startedAt: number;
  readonly admission: Admission | undefined;
  /** Its place in the order of calls. */
  readonly sequence: number;
  /** What was heard about it before its end. */
  heard: Heard | undefined;
  /** Units that it is charged. */
  charged: number;
}

/** How an attempt ended, as its caller gets it. */
type End<T> = { readonly value: T } | { readonly error: unknown };

/** Makes attempts, listens to what comes of them, and makes others where that may help. */
export class Attempts {
  readonly counts = { started: 0, retried: 0, refused: 0 };
  readonly #settings: UpstreamSettings;
  readonly #shared: SharedUpstream;
  readonly #announce: ((event: OutboundEvent) => void) | undefined;
  readonly #hearing;
  readonly #budget;
  readonly #closing = new AbortController();
  /** Calls that wait for their next attempt: what ends their waiting. */
  readonly #pauses = new Set<(error: unknown) => void>();
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
    this.#hearing = createHearing(shared.line, settings.limits);
    this.#budget = settings.budget === false ? undefined : createRetryBudget(settings.budget);
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
  refuseIfOpen(now: number): void {
    const { breaker, line } = this.#shared;
    if (breaker === undefined || !this.#shared.isTroubled) return;
    const { state, openUntilMs = 0 } = breaker.state(now / 1000);
    if (state !== "open" || this.#waitsForBreaker) return;
    throw line.error("breaker-open", { retryAfterMs: Math.ceil(openUntilMs - now / 1000) });
  }

  /** A call that waited has its units, and starts now. */
  begin<T>(call: Call<T>, started: Started): Promise<T> {
    this.#shared.line.started(call);
    return this.attempt(call, started);
  }

  /** A call that has its units starts now. */
  attempt<T>(call: Call<T>, started: Started, now = this.#shared.line.clock.elapsed()): Promise<T> {
    const { breaker, line } = this.#shared;
    const admission = breaker?.admit(now / 1000);
    if (admission?.pass === false) {
      line.starts.unused({ lane: call.lane, cost: call.cost, started });
      const error = line.error("breaker-open", { retryAfterMs: Math.ceil(admission.retryAfterMs) });
      if (this.#waitsForBreaker) return this.#again(call, admission.retryAfterMs, { error });
      this.refused(error);
      return Promise.reject(error);
    }
    call.made++;
    this.counts.started++;
    if (call.made === 1) this.#budget?.started(now / 1000);
    else this.counts.retried++;
    const sequence = this.#hearing.sent(call.cost);
    const { lane, cost } = call;
    const run: Run = { lane, cost, started, startedAt: now, admission, sequence, heard: undefined, charged: cost };
    line.running++;
    this.#announce?.({
      upstream: this.#settings.name,
      type: "started",
      attempt: call.made,
      waitedMs: (now - call.arrivedAt) / 1000,
    });
    return this.#make(call, run);
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
    line.refuse("closed", (call) => call instanceof Call && call.attempts === this);
    this.#closing.abort(error);
    for (const stop of [...this.#pauses]) stop(error);
  }

  #left(): void {
    this.#open--;
    if (this.#open === 0) this.#onIdle?.();
  }

  get #waitsForBreaker(): boolean {
    const { breaker } = this.#settings;
    return breaker !== false && breaker.whenOpen === "wait";
  }

  #make<T>(call: Call<T>, run: Run): Promise<T> {
    const { name, timeoutMs } = this.#settings;
    const timeout = timeoutMs === Infinity ? undefined : new AbortController();
    const context = new AttemptContext({
      attempt: call.made,
      signals: [this.#closing.signal, call.signal, timeout?.signal],
      onCost: (cost) => this.#correct(run, cost),
      onResponse: (response) => {
        run.heard = this.#hear(response, run);
      },
    });
    let made: T | PromiseLike<T>;
    try {
      made = call.make(context);
    } catch (error) {
      return new Promise((resolve) => resolve(this.#ended(call, run, context, { error })));
    }
    const outcome: PromiseLike<T> = isPromise(made) ? made : Promise.resolve(made);
    const { clock } = this.#shared.line;
    const limited = timeout === undefined ? outcome : inTime(outcome, { clock, name, timeoutMs, timeout });
    return Promise.resolve(
      limited.then(
        (value) => this.#ended(call, run, context, { value }),
        (error: unknown) => this.#ended(call, run, context, { error }),
      ),
    );
  }

  #ended<T>(call: Call<T>, run: Run, context: AttemptContext, end: End<T>): T | Promise<T> {
    const { line, breaker } = this.#shared;
    context.end();
    const now = line.clock.elapsed();
    const response = "value" in end && typeof end.value !== "object" ? undefined : responseOf(end);
    // What a response says counts before the next call starts.
    if (response !== undefined) run.heard = this.#hear(response, run);
    else if (run.heard === undefined) this.#hearing.lost(run.sequence);
    const outcome = outcomeOf(end, response, run.heard);
    if (run.admission !== undefined) {
      // Whoever leaves says nothing about the upstream, whatever error he leaves with.
      const hasLeft = "error" in end && (call.signal?.aborted === true || this.#closing.signal.aborted);
      const verdict = hasLeft ? "neither" : verdictOf(outcome);
      breaker!.settle(run.admission, verdict, (now - run.startedAt) / 1000, now / 1000);
    }
    line.running--;
    line.ended(run);
    return this.#retryOrEnd(call, run, end, outcome, now);
  }

  #retryOrEnd<T>(call: Call<T>, run: Run, end: End<T>, outcome: Outcome, now: number): T | Promise<T> {
    const outcomeClass = classify(outcome);
    const { attempts, backoff, name } = this.#settings;
    const isFinal = outcomeClass === "ok" || this.#closing.signal.aborted || call.signal?.aborted === true;
    const plan = isFinal
      ? undefined
      : planRetry({
          attempt: call.made,
          attempts: call.options.attempts ?? attempts,
          outcomeClass,
          canRepeat: mayRepeat(repeatableOf(call), outcome),
          retryAfterMs: run.heard?.retryAfterMs,
          deadlineMs: call.deadline === Infinity ? undefined : call.deadline / 1000,
          nowMs: now / 1000,
          // What the upstream asked to be repeated later is no burden to it.
          budget: run.heard?.retryAfterMs === undefined ? this.#budget : undefined,
          backoff,
        });
    if (this.#announce !== undefined) {
      this.#announce({
        upstream: name,
        type: "ended",
        attempt: call.made,
        outcome: outcomeClass,
        tookMs: (now - run.startedAt) / 1000,
        ...(plan !== undefined && "stop" in plan && { stop: plan.stop }),
      });
    }
    if (plan !== undefined && "delayMs" in plan) {
      this.#announce?.({ upstream: name, type: "retry", attempt: call.made, delayMs: plan.delayMs });
      return this.#again(call, plan.delayMs, end);
    }
    this.#left();
    if ("error" in end) throw end.error;
    return end.value;
  }

  /** Stand in line once more, after a while. What came of the last attempt is what the caller gets if that cannot be. */
  #again<T>(call: Call<T>, delayMs: number, otherwise: End<T>): Promise<T> {
    const { line } = this.#shared;
    call.isAgain = true;
    call.otherwise = otherwise;
    return new Promise<T>((resolve) => {
      call.settle = resolve;
      const stop = (error: unknown): void => {
        leave();
        call.refuse(error);
      };
      const aborted = () => stop(line.error("cancelled", { cause: call.signal!.reason }));
      const cancel = line.clock.after(delayMs, () => {
        leave();
        try {
          line.enter(call, Infinity);
        } catch (error) {
          call.refuse(error);
        }
      });
      const leave = () => {
        cancel();
        this.#pauses.delete(stop);
        call.signal?.removeEventListener("abort", aborted);
      };
      this.#pauses.add(stop);
      call.signal?.addEventListener("abort", aborted, { once: true });
    });
  }

  #hear(response: ResponseHead, run: Run): Heard {
    const heard = this.#hearing.heard(response, run);
    if (this.#announce === undefined) return heard;
    const { name: upstream } = this.#settings;
    const { isThrottled, pausedForMs, elsewhere } = heard;
    if (isThrottled || pausedForMs !== undefined) {
      this.#announce({ upstream, type: "throttled", ...(pausedForMs !== undefined && { pausedForMs }) });
    }
    for (const { limit, units } of elsewhere) this.#announce({ upstream, type: "used-elsewhere", limit, units });
    return heard;
  }

  #correct(run: Run, cost: number): void {
    const units = cost - run.charged;
    run.charged = cost;
    if (units !== 0) this.#shared.line.starts.correct(run, units);
  }
}

function outcomeOf(end: End<unknown>, response: ResponseHead | undefined, heard: Heard | undefined): Outcome {
  if (response !== undefined) return { status: response.status, isThrottled: heard?.isThrottled };
  return "value" in end ? { status: 200 } : { error: end.error };
}

function repeatableOf<T>({ options, repeatable }: Call<T>) {
  return options.idempotent === undefined ? { ...repeatable } : { ...repeatable, idempotent: options.idempotent };
}
