import type { Clock } from "../../limiter/clock.ts";
import { isPromise } from "../../limiter/reply.ts";
import { type Awaitable, type Demand, mergeDemands, type Taken } from "../../limiter/store.ts";
import type { LeasedAccount, Portion } from "./account.ts";
import type { Books } from "./books.ts";
import type { Calls } from "./calls.ts";
import type { Losses } from "./losses.ts";
import { type Moment, momentOf } from "./moment.ts";
import type { Part, Spaces } from "./spaces.ts";

export interface DecisionOptions {
  readonly spaces: Spaces;
  readonly calls: Calls;
  readonly losses: Losses;
  readonly books: Books;
  readonly clock: Clock;
  /** How long "not blocked" is good for, in microseconds. */
  readonly factLife: number;
  time(): number;
}

/** After a refusal the store is not asked again for so much of a lease: others may need its time. */
const PACE = 0.75;

/** A part that the store is asked about: what is held ready of it here, and what it was like before. */
interface Question {
  readonly part: Part;
  readonly portions: readonly Portion[];
  readonly short: number;
  /** Where in the list of demands the question is; undefined: nothing has to be asked. */
  readonly index: number | undefined;
  readonly known: number;
  readonly changes: number;
}

/** When a question was asked and answered, in both times of this process, and what it says of a loss. */
interface AnswerTimes {
  readonly asked: Moment;
  readonly sent: number;
  readonly now: Moment;
  readonly mark: Taken;
}

/**
 * Decisions about demands that may be refused: here and at once where everything that they need is in hand, else by one
 * call of the store, which decides about all that is missing, all or nothing.
 */
export function decisions({ spaces, calls, losses, books, clock, factLife, time }: DecisionOptions) {
  return function take(demands: readonly Demand[]): Awaitable<readonly Taken[]> {
    const merged = mergeDemands(demands);
    const once = merged.length === 1 ? merged : merged.filter((demand, i) => merged.indexOf(demand) === i);
    const now = momentOf(clock);
    const parts = once.map((demand) => spaces.part(demand, now));
    for (const { account, demand } of parts) if (account !== undefined) account.demanded += demand.cost;
    const taken = decide(parts, now);
    if (once.length === merged.length) return taken;
    const spread = (answers: readonly Taken[]) => merged.map((demand) => answers[once.indexOf(demand)]!);
    return isPromise(taken) ? taken.then(spread) : spread(taken);
  };

  function decide(parts: readonly Part[], now: Moment): Awaitable<readonly Taken[]> {
    const isRefused = parts.some((part) => refusedHere(part, now) !== undefined);
    if (isRefused) {
      books.hits++;
      return parts.map((part) => verdictOf(part, now, refusedHere(part, now)));
    }
    if (parts.every((part) => isInHand(part, now))) {
      books.hits++;
      return parts.map((part) => takenOf(part, part.account?.take(part.demand.cost), now));
    }
    const busy = parts.find(({ account, demand }) => mustWait(account, demand, now));
    return busy === undefined ? ask(parts, now) : waitFor(busy, parts);
  }

  /** Until when the part is refused, if that is known here. */
  function refusedHere({ demand, account, fact }: Part, now: Moment): number | undefined {
    if (fact !== undefined) return demand.cost > 0 ? fact.blockedUntil(now.elapsed) : undefined;
    if (account === undefined) return undefined;
    const short = demand.cost - account.available(now);
    if (short <= 0) return undefined;
    if (now.elapsed < account.closedUntil) return account.closedUntil;
    return account.refusals.retryAt(short, now.elapsed);
  }

  function isInHand({ demand, account, fact }: Part, now: Moment): boolean {
    if (fact !== undefined) return fact.isFree(now, factLife);
    return account !== undefined && account.available(now) >= demand.cost;
  }

  function mustWait(account: LeasedAccount | undefined, { cost }: Demand, now: Moment): boolean {
    return account?.asking !== undefined && account.available(now) < cost;
  }

  async function waitFor({ account, demand }: Part, parts: readonly Part[]): Promise<readonly Taken[]> {
    account!.waiting += demand.cost;
    try {
      await account!.asking;
    } finally {
      account!.waiting -= demand.cost;
    }
    return decide(parts, momentOf(clock));
  }

  function ask(parts: readonly Part[], asked: Moment): Awaitable<readonly Taken[]> {
    const demands: Demand[] = [];
    const sent = time();
    const questions = parts.map((part) => questionOf(part, demands, asked, sent));
    const leasing = questions.filter(({ short }) => short > 0).map(({ part }) => part.account!);
    for (const { space } of leasing) void calls.handBack(space);

    const done = (): void => {
      for (const account of leasing) account.asking = undefined;
    };
    const fail = (): void => {
      done();
      for (const { part, portions } of questions) part.account?.undo(portions);
    };
    const finish = (answers: readonly Taken[]): readonly Taken[] => {
      done();
      return settle(questions, answers, asked, sent);
    };

    let answers: Awaitable<readonly Taken[]>;
    try {
      answers = calls.take(demands);
    } catch (error) {
      fail();
      throw error;
    }
    if (!isPromise(answers)) return finish(answers);
    const taken = Promise.resolve(answers).then(finish, (error: unknown) => {
      fail();
      throw error;
    });
    const asking = taken.then(() => {});
    asking.catch(() => {});
    for (const account of leasing) if (!account.isSlow) account.asking = asking;
    return taken;
  }

  /** What the store has to be asked about a part. Units in hand are taken aside until it answers. */
  function questionOf(part: Part, demands: Demand[], now: Moment, sent: number): Question {
    const { demand, atStore, account, fact } = part;
    if (account === undefined) {
      const isKnown = fact?.isFree(now, factLife) === true;
      if (!isKnown) demands.push(atStore);
      const index = isKnown ? undefined : demands.length - 1;
      return { part, portions: [], short: 0, index, known: 0, changes: fact?.changes ?? 0 };
    }
    const inHand = Math.min(demand.cost, account.available(now));
    const short = demand.cost - inHand;
    const known = account.mirror.units(sent);
    const { changes } = account.mirror;
    const portions = account.take(inHand);
    if (short === 0) return { part, portions, short, index: undefined, known, changes };
    const cost = account.isSlow ? short : account.want(short + account.waiting, now);
    demands.push({ ...atStore, cost, least: short }, { ledger: account.space.losses, key: demand.key, cost: 1 });
    return { part, portions, short, index: demands.length - 2, known, changes };
  }

  function settle(
    questions: readonly Question[],
    answers: readonly Taken[],
    asked: Moment,
    sent: number,
  ): readonly Taken[] {
    const now = momentOf(clock);
    const isMet = answers.every(({ allowed }) => allowed);
    return questions.map((question) => {
      const { part, portions, index } = question;
      const answer = index === undefined ? undefined : answers[index]!;
      if (part.account === undefined) return factOf(question, answer, asked, now);
      if (!isMet) part.account.undo(portions);
      if (answer === undefined) return takenOf(part, isMet ? portions : undefined, now);
      return grantOf(question, part.account, answer, isMet, { asked, sent, now, mark: answers[index! + 1]! });
    });
  }

  /** What the store said about something that is not leased. */
  function factOf({ part, changes }: Question, answer: Taken | undefined, asked: Moment, now: Moment): Taken {
    if (answer === undefined) return verdictOf(part, now, undefined);
    if (part.fact?.changes === changes && answer.degraded !== true) {
      if (answer.allowed) part.fact.free(asked);
      else part.fact.block(now.elapsed, answer.retryAfter);
    }
    return answer;
  }

  /** What the store said to a grant. */
  function grantOf(
    { part, portions, short, known, changes }: Question,
    account: LeasedAccount,
    answer: Taken,
    isMet: boolean,
    { asked, sent, now, mark }: AnswerTimes,
  ): Taken {
    const { mirror, space } = account;
    const granted = isMet ? (answer.granted ?? short) : 0;
    // Units of a store that stands in for another are nobody's but the caller's.
    if (answer.degraded === true) return { ...answer, receipt: portions[0]?.lot.receipt ?? answer.receipt };
    account.isSlow = 2 * (now.elapsed - asked.elapsed) > space.life;
    if (!mark.allowed) {
      void losses.hear(account, now, mark.retryAfter);
      return verdictOf(part, now, account.closedUntil);
    }
    account.learn(answer, now);
    const isUnchanged = mirror.changes === changes;
    const isSuspect = isUnchanged && mirror.isContradicted(Math.min(known, mirror.units(time())), granted, answer);
    // First it is known that they were taken: those that come too late to be used are handed back at once.
    if (isMet && !isSuspect) mirror.add(granted, sent, answer);
    const returned = isMet ? account.receive(granted, short, asked, now, answer) : 0;
    if (isMet) account.refusals.clear();
    if (isSuspect) {
      void losses.suspect(account, now);
      // What the mirror knew is told anew. This grant the store knows of.
      if (isMet) mirror.add(granted - returned, sent, answer);
    }
    const receipt = portions[0]?.lot.receipt ?? answer.receipt;
    if (answer.allowed) return { ...takenOf(part, undefined, now), receipt: isMet ? receipt : 0 };
    const retryAfter = account.refusals.add(short, now.elapsed, answer.retryAfter, space.life * PACE);
    return verdictOf(part, now, now.elapsed + retryAfter);
  }

  /** The answer to a part that is met here, or could have been. */
  function takenOf(part: Part, portions: readonly Portion[] | undefined, now: Moment): Taken {
    const verdict = verdictOf(part, now, undefined);
    return portions === undefined || portions.length === 0
      ? verdict
      : { ...verdict, receipt: portions[0]!.lot.receipt };
  }

  function verdictOf({ account }: Part, now: Moment, retryAt: number | undefined): Taken {
    const verdict = { allowed: true, remaining: 0, retryAfter: 0, resetAfter: 0, receipt: 0 };
    account?.fill(verdict, now);
    if (retryAt === undefined) return verdict;
    const retryAfter = Math.max(1, retryAt - now.elapsed);
    return { ...verdict, allowed: false, retryAfter, resetAfter: Math.max(verdict.resetAfter, retryAfter) };
  }
}
