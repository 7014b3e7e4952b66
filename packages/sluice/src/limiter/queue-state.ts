import type { Note, QueueRequest, QueueTerms } from "./shared-queue.ts";

/** A ticket in the queue: `order` says where it stands in its lane, on the store's clock. */
export interface QueuedTicket {
  readonly id: number;
  readonly owner: string;
  readonly lane: string;
  readonly cost: number;
  readonly order: number;
}

/** Where a lane stands: units served since the queue began, as if all lanes had been served alike; and until when its own limits refuse. */
export interface LaneTurn {
  served: number;
  until: number;
}

/** What a store keeps of a queue, beside the accounts of its rules. All of it may be lost: owners say again what they wait for. */
export interface QueueState {
  /** When somebody asked last. */
  now: number;
  /** In the order in which they stand, whatever their lanes. */
  tickets: QueuedTicket[];
  lanes: Record<string, LaneTurn>;
  /** Units that the lane served last had been served. */
  served: number;
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
  for (const turn of Object.values(state.lanes)) turn.until -= by;
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
  for (const lane of Object.keys(state.lanes)) {
    const { served, until } = state.lanes[lane]!;
    const isWaiting = state.tickets.some((ticket) => ticket.lane === lane);
    if (!isWaiting && served <= state.served && until <= now) delete state.lanes[lane];
  }
}

/** One cut for all refusals of calls that had started before it. */
export function cut(terms: QueueTerms, state: QueueState, startedAt: number, now: number): void {
  if (startedAt <= state.cutAt) return;
  state.cutTo = Math.max(LEAST_RATE, Math.floor((rateAt(terms, state, now) * CUT) / FULL_RATE));
  state.cutAt = now;
}

/** The part of the full rate at which calls may start, in millionths: it comes back step by step. */
export function rateAt({ recovery }: QueueTerms, { cutAt, cutTo }: QueueState, now: number): number {
  return Math.min(FULL_RATE, cutTo + STEP * Math.floor((now - cutAt) / recovery));
}

/** How long nobody may start after a start. */
export function spacing(terms: QueueTerms, state: QueueState, now: number, remaining: number, limit: number): number {
  const used = Math.floor(((limit - remaining) * FULL_RATE) / limit);
  const paced = terms.pace.reduce((found, [from, spacing]) => (used >= from ? spacing : found), 0);
  const rate = rateAt(terms, state, now);
  return Math.max(paced, rate < FULL_RATE ? Math.ceil((terms.interval * FULL_RATE) / rate) : 0);
}

export function enter(
  state: QueueState,
  owner: string,
  { leave = [], enter: come = [] }: QueueRequest,
  now: number,
): void {
  if (leave.length > 0) {
    const left = new Set(leave);
    state.tickets = state.tickets.filter((ticket) => ticket.owner !== owner || !left.has(ticket.id));
  }
  for (const { id, lane, cost, offset } of come) {
    if (state.tickets.some((ticket) => ticket.id === id)) continue;
    const isWaiting = state.tickets.some((ticket) => ticket.lane === lane);
    const turn = turnOf(state, lane);
    if (!isWaiting) turn.served = Math.max(turn.served, state.served);
    const order = now + offset;
    let at = state.tickets.length;
    while (at > 0 && state.tickets[at - 1]!.order > order) at--;
    state.tickets.splice(at, 0, { id, owner, lane, cost, order });
  }
}

/** The first ticket of the lane that was served least, of those that may be served; of equal lanes, the one whose ticket came first. */
export function nextTicket({ tickets, lanes }: QueueState, now: number): QueuedTicket | undefined {
  let next: QueuedTicket | undefined;
  for (const ticket of tickets) {
    const turn = lanes[ticket.lane]!;
    if (turn.until > now) continue;
    if (next === undefined || turn.served < lanes[next.lane]!.served) next = ticket;
  }
  return next;
}

/** When the first of the lanes that wait for their own limits can go on. */
export function soonestLane({ tickets, lanes }: QueueState): number | undefined {
  const times = tickets.map(({ lane }) => lanes[lane]!.until);
  return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b));
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

function turnOf({ lanes }: QueueState, lane: string): LaneTurn {
  lanes[lane] ??= { served: 0, until: 0 };
  return lanes[lane];
}
