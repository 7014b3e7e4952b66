/** A defect that somebody could build in: what would stand where, instead of what. */
export interface Mutation {
  readonly name: string;
  /** In the package. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const inFile =
  (file: string) =>
  (name: string, from: string, to: string): Mutation => ({ name, file, from, to });
const definition = inFile("src/limiter/exchange.ts");
const state = inFile("src/limiter/queue-state.ts");
const demands = inFile("src/limiter/shared-queue.ts");
const client = inFile("test/limiter/queue/client.ts");
const plan = inFile("test/limiter/queue/life.ts");

export const mutations: readonly Mutation[] = [
  client("a grant that comes too late is started", "!(age <= grant.usable)", "false"),
  client(
    "the age of a grant counts from when it was heard",
    "this.#grant(grant, now() - sentAt)",
    "this.#grant(grant, 0)",
  ),
  client(
    "the store's clock is guessed from the end of a request",
    "ahead: reply.now - sentAt }",
    "ahead: reply.now - now() - 60_000 }",
  ),
  client("a grant that comes twice goes back", "if (this.#seen.has(grant.id)) return;", ""),
  client(
    "what was not used goes back twice",
    "      this.#ended.push(...(request.ended ?? []), ...(request.unused ?? []));",
    "      this.#ended.push(...(request.ended ?? []), ...(request.unused ?? []));\n      this.#unused.push(...(request.unused ?? []));",
  ),
  client("nobody says what he waits for", "...(this.#isInDoubt && { waiting: [...this.#waiting.keys()] }),", ""),
  client(
    "a missing ticket keeps its places",
    "    this.#ended.push({ id, lane: one.call.lane, cost: one.call.cost });\n",
    "",
  ),
  client("running calls are not held on", "      running: [...this.#running.values()],\n", ""),
  client("a missing ticket is not entered again", "for (const id of reply.missing) this.#giveUp(id);", ""),
  client("nobody asks without a cause", "    this.#beat();\n  }\n\n  get", "  }\n\n  get"),
  client("nobody wakes up", "if (this.#wakeAt === due && this.#waiting.size > 0) this.#ask();", ""),
  plan("the ledgers do not count the grace", "periodMs: periodMs + graceMs", "periodMs: periodMs"),
  definition(
    "somebody is woken up for each unit that flows back",
    "wake(nextAt === undefined ? undefined : together(nextAt));",
    "wake(nextAt);",
  ),
  definition("more flows back until then than fits into the limit", "now + Math.min(GAP, ...whole)", "now + GAP"),
  definition(
    "the first in line is never told",
    'if (head !== "" && head !== owner',
    "if (head !== head && head !== owner",
  ),
  definition(
    "the first in line is told only once",
    "(head !== state.waker || at! < state.wakeAt)",
    "head !== state.waker",
  ),
  definition("nobody looks whether the first in line wakes up", "rank >= 0 && rank < 3", "rank === 0"),
  definition("those behind the first wake up with him", "rank * backup", "0"),
  definition("nobody hears of grants but who asks", "told.delete(owner);", "told.clear();"),
  definition("the queue is not swept", "  sweep(terms, state, now);\n", ""),
  definition("a clock that was set back is not noticed", "if (now < state.now) bringBack(state, state.now - now);", ""),
  definition(
    "what was not used stays taken",
    "  for (const charge of unused) {",
    "  for (const charge of unused.slice(1)) {",
  ),
  definition(
    "what was not used goes back without its receipt",
    "receipt: charge.receipts[i]! }], Mode.force",
    "receipt: 0 }], Mode.force",
  ),
  definition(
    "places of calls that have ended stay taken",
    "ended.flatMap(placesOf)",
    "running.slice(9).flatMap(placesOf)",
  ),
  definition("places are free at the end", "rule.afterEnd === undefined", "rule.afterEnd !== null"),
  definition(
    "places of running calls run out",
    "for (const { demand } of running.flatMap(placesOf)) take([demand], Mode.force);",
    "",
  ),
  definition("corrections are dropped", "demand !== undefined && cost !== 0", "demand === null"),
  definition(
    "a pause is ignored",
    "take([...demandsOf(terms, next), pauseOf(1)], Mode.take)",
    "take([...demandsOf(terms, next), pauseOf(0)], Mode.take)",
  ),
  definition("one lane holds up all", "} else if (ofLane > 0) {", "} else if (ofLane < 0) {"),
  definition(
    "lanes overtake what a common limit holds up",
    "        common = now + wait;",
    "        held.set(next.lane, now + wait);",
  ),
  definition("a lane that is held up saves up turns", "        catchUp(state, next.lane);\n", ""),
  definition(
    "what can never be granted waits",
    "const never = come.filter((ticket) => !fits(terms, ticket))",
    "const never = come.filter((ticket) => ticket.cost < 0)",
  ),
  definition("nothing is missing", "missing: waiting.filter(", "missing: waiting.slice(1e6).filter("),
  definition("everything is missing", "id) => !(here.has(id)", "id) => !(here.has(-id)"),
  definition("a grant outlives its window", "if (endsWithWindow) usable", "if (!ledger) usable"),
  definition("a grant is good for twice the grace", "let usable = terms.grace;", "let usable = 2 * terms.grace;"),
  definition("starts are not spaced", "state.notBefore = now + spacing(", "state.notBefore = 0 * spacing("),
  definition("notes are kept to oneself", "tell(other).note = request.note", "other.trim()"),
  definition(
    "every note counts",
    "request.note !== undefined && isAbove(request.note, state.note)",
    "request.note !== undefined",
  ),
  definition(
    "a cut counts for calls that started before it",
    "cut(terms, state, now - request.cut, now)",
    "cut(terms, state, now, now)",
  ),
  state("lanes do not take turns", "lanes[a.lane]! - lanes[b.lane]!", "0"),
  state("every call counts alike for the turns", "state.lanes[lane] = start + cost;", "state.lanes[lane] = start + 1;"),
  state("newcomers begin at nothing", "Math.max(lanes[lane] ?? 0, served)", "lanes[lane] ?? 0"),
  state("newcomers begin where the last one began", " + Math.floor(units / among);", ";"),
  state(
    "lanes are remembered for ever",
    "waiting.size === 0 || state.lanes[lane]! <= state.served",
    "waiting.size < 0",
  ),
  state(
    "tickets stand as they come",
    "state.tickets[at - 1]!.order > order",
    "state.tickets[at - 1]!.order > Infinity",
  ),
  state("a ticket can stand twice", "    if (state.tickets.some((ticket) => ticket.id === id)) continue;\n", ""),
  state("everybody may take a ticket away", "ticket.owner !== owner || !left.has(ticket.id)", "!left.has(ticket.id)"),
  state(
    "a granted ticket waits on",
    "  state.rest = units % among;\n  drop(state, ticket);",
    "  state.rest = units % among;",
  ),
  state("tickets of the dead stay", "if (gone.length > 0)", "if (gone.length < 0)"),
  state(
    "owners are not brought back",
    "for (const owner of Object.keys(state.owners)) state.owners[owner]! -= by;",
    "",
  ),
  state("tickets are not brought back", "order: ticket.order - by", "order: ticket.order"),
  state("the pace is not brought back", "  state.notBefore -= by;\n", ""),
  state("a cut is not brought back", "  state.cutAt -= by;\n", ""),
  state("every refusal cuts", "  if (startedAt <= state.cutAt) return;\n", ""),
  state("the rate is cut to nothing", "Math.max(LEAST_RATE, ", "Math.max(0, "),
  state("the rate comes back at once", "STEP * Math.floor((now - cutAt) / recovery)", "FULL_RATE"),
  demands("groups have one limit together", 'per === "group" ? lane.slice(0, cut)', 'per === "group" ? name'),
  demands("a call takes its cost of places", 'unit === "cost" ? cost : 1', "cost"),
];
