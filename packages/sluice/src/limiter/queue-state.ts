import type { Note, QueueTerms, Ticket } from "./shared-queue.ts";

/** A ticket in the queue: `order` says where it stands in its lane, on the store's clock. */
export interface QueuedTicket {
  readonly id: number;
  readonly owner: string;
  readonly lane: string;
  readonly cost: number;
  readonly order: number;
}

/** What a store keeps of a queue, beside the accounts of its rules. All of it may be lost: owners say again what they wait for. */
export interface QueueState {
  /** When somebody asked last. */
  now: number;
  /** In the order in which they stand, whatever their lanes. */
  tickets: QueuedTicket[];
  /** Where each lane stands: units served since the queue began, as if it had always waited and had its share. */
  lanes: Record<string, number>;
  /** Where a lane stands that has had its share and no more: newcomers begin here. */
  served: number;
  /** Units served that are not in `served` yet: fewer than there are lanes. */
  rest: number;
  /** When each owner was last heard of. */
  owners: Record<string, number>;
  /** Who was told to wake up, and when. */
  waker: string;
  wakeAt: number;
  /** No start before this time: the pace. */
  notBefore: number;
  /** When the rate was cut last, and to what part, in millionths. */
  cutAt: number;
  cutTo: number;
  note: Note | undefined;
}

export const newQueue = (): QueueState => ({
  now: 0,
  tickets: [],
  lanes: {},
  served: 0,
  rest: 0,
  owners: {},
  waker: "",
  wakeAt: 0,
  notBefore: 0,
  cutAt: 0,
  cutTo: FULL_RATE,
  note: undefined,
});

/** Rates are counted in millionths: a cut leaves so much of one, and never less than the least. */
export const FULL_RATE = 1_000_000;
const CUT = 700_000;
const LEAST_RATE = 50_000;
const STEP = 100_000;

/** The store's clock was set back: all that was to happen will happen as long after now as it was to. */
export function bringBack(state: QueueState, by: number): void {
  state.tickets = state.tickets.map((ticket) => ({ ...ticket, order: ticket.order - by }));
  for (const owner of Object.keys(state.owners)) state.owners[owner]! -= by;
  state.wakeAt -= by;
  state.notBefore -= by;
  state.cutAt -= by;
}

/** Owners that have not been heard of are gone, and what stands in lines for them. */
export function sweep({ ownerLife }: QueueTerms, state: QueueState, now: number): void {
  const gone = Object.keys(state.owners).filter((owner) => state.owners[owner]! <= now - ownerLife);
  for (const owner of gone) delete state.owners[owner];
  if (gone.length > 0) state.tickets = state.tickets.filter((ticket) => !gone.includes(ticket.owner));
  const waiting = new Set(state.tickets.map(({ lane }) => lane));
  for (const lane of Object.keys(state.lanes)) {
    if (!waiting.has(lane) && (waiting.size === 0 || state.lanes[lane]! <= state.served)) delete state.lanes[lane];
  }
}

/** What the rate of starts follows from. */
export type RateTerms = Pick<QueueTerms, "pace" | "interval" | "recovery">;
type Cut = Pick<QueueState, "cutAt" | "cutTo">;

/** One cut for all refusals of calls that had started before it. */
export function cut(terms: RateTerms, state: Cut, startedAt: number, now: number): void {
  if (startedAt <= state.cutAt) return;
  state.cutTo = Math.max(LEAST_RATE, Math.floor((rateAt(terms, state, now) * CUT) / FULL_RATE));
  state.cutAt = now;
}

/** The part of the full rate at which calls may start, in millionths: it comes back step by step. */
export function rateAt({ recovery }: Pick<QueueTerms, "recovery">, { cutAt, cutTo }: Cut, now: number): number {
  return Math.min(FULL_RATE, cutTo + STEP * Math.floor((now - cutAt) / recovery));
}

/** How long nobody may start after a start. */
export function spacing(terms: RateTerms, state: Cut, now: number, remaining: number, limit: number): number {
  const used = Math.floor(((limit - remaining) * FULL_RATE) / limit);
  const paced = terms.pace.reduce((found, [from, spacing]) => (used >= from ? spacing : found), 0);
  const rate = rateAt(terms, state, now);
  return Math.max(paced, rate < FULL_RATE ? Math.ceil((terms.interval * FULL_RATE) / rate) : 0);
}

export function enter(
  state: QueueState,
  owner: string,
  leave: readonly number[],
  come: readonly Ticket[],
  now: number,
): void {
  if (leave.length > 0) {
    const left = new Set(leave);
    state.tickets = state.tickets.filter((ticket) => ticket.owner !== owner || !left.has(ticket.id));
  }
  for (const { id, lane, cost, offset } of come) {
    if (state.tickets.some((ticket) => ticket.id === id)) continue;
    if (!state.tickets.some((ticket) => ticket.lane === lane)) catchUp(state, lane);
    const order = now + offset;
    let at = state.tickets.length;
    while (at > 0 && state.tickets[at - 1]!.order > order) at--;
    state.tickets.splice(at, 0, { id, owner, lane, cost, order });
  }
}

/** Nobody saves up turns: a lane that did not wait, or that its own limits held up, stands where its share would be. */
export function catchUp({ lanes, served }: QueueState, lane: string): void {
  lanes[lane] = Math.max(lanes[lane] ?? 0, served);
}

/** The first tickets of all lanes, the lane that was served least first; of equal lanes, the one whose ticket came first. */
export function firstTickets({ tickets, lanes }: QueueState): readonly QueuedTicket[] {
  const first = new Map<string, QueuedTicket>();
  for (const ticket of tickets) if (!first.has(ticket.lane)) first.set(ticket.lane, ticket);
  return [...first.values()].sort((a, b) => lanes[a.lane]! - lanes[b.lane]!);
}

/** A ticket has been served, while so many lanes could be. */
export function serve(state: QueueState, ticket: QueuedTicket, among: number): void {
  const { lane, cost } = ticket;
  const start = state.lanes[lane]!;
  const units = state.rest + cost;
  state.lanes[lane] = start + cost;
  state.served = Math.max(state.served, start) + Math.floor(units / among);
  state.rest = units % among;
  drop(state, ticket);
}

/** The owners of the first tickets, in order. */
export function ownersInLine({ tickets }: QueueState): readonly string[] {
  const owners = new Set<string>();
  for (const { owner } of tickets) {
    owners.add(owner);
    if (owners.size === 3) break;
  }
  return [...owners];
}

export function drop(state: QueueState, ticket: QueuedTicket): void {
  state.tickets.splice(state.tickets.indexOf(ticket), 1);
}

/** The higher rank counts; of equal ones the later text in the alphabet, so that all agree. */
export function isAbove(note: Note, other: Note | undefined): boolean {
  if (other === undefined || note.rank !== other.rank) return other === undefined || note.rank > other.rank;
  return note.text > other.text;
}
