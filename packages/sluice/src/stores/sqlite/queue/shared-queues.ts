import { createHash } from "node:crypto";
import { exchange, type Told } from "../../../limiter/exchange.ts";
import type { QueueState } from "../../../limiter/queue-state.ts";
import type {
  Grant,
  QueueNews,
  QueueReply,
  QueueRequest,
  QueueSeat,
  QueueTerms,
  SharedQueue,
} from "../../../limiter/shared-queue.ts";
import type { Times } from "../../../limiter/store.ts";
import type { Session } from "../session.ts";
import { takeAll } from "../take-all.ts";
import type { SqliteDatabase } from "../types.ts";
import { type Bell, bell, removeBells, ring } from "./bell.ts";
import type { Mail, QueueTable, Seat } from "./queue-table.ts";

/** The queues of one store. What others should hear lies in the file, and their bells ring: nobody polls. */
export interface SharedQueues {
  queue(terms: QueueTerms, seat: QueueSeat): SharedQueue;
  close(): void;
}

export interface SharedQueuesOptions {
  /** Work inside a transaction that writes; resolves once it is committed. */
  run<T>(work: (session: Session, times: Times) => T): Promise<T>;
  readonly database: SqliteDatabase;
}

/** Where an owner of this store sits. */
interface Place {
  readonly name: Uint8Array;
  readonly seat: QueueSeat;
}

/** A queue that nobody asks for so long is forgotten, in microseconds; at least as long as its cuts count. */
const LEAST_LIFE = 3_600_000_000;
const STEPS = 10;
/** The time on the wall is told in whole milliseconds: a grant may be so much older than it seems, in microseconds. */
const GRAIN = 2_000;

export function sharedQueues({ run, database }: SharedQueuesOptions): SharedQueues {
  const places = new Set<Place>();
  let path: string | undefined;
  let ear: Bell | undefined;
  let isReading = false;

  /** What lies in the file for owners of this store. */
  async function read(): Promise<void> {
    if (isReading) return;
    isReading = true;
    try {
      let isSeated = false;
      const found = await run(({ queues }, { elapsed }) => {
        // What comes from now on rings again.
        isReading = false;
        return [...places].flatMap(({ name, seat }) => {
          const own = queues().seats(name).get(seat.owner);
          isSeated ||= own !== undefined;
          if (own?.mail === undefined) return [];
          queues().sit(name, seat.owner, { bell: own.bell, mail: undefined });
          return [{ seat, news: newsOf(own.mail, elapsed) }];
        });
      });
      for (const { seat, news } of found) seat.inform(news);
      if (isSeated) listen();
    } catch {
      // It lies there until the owner asks by itself.
      isReading = false;
    }
  }

  /** Hear from now on, and of what came before. */
  function listen(): void {
    if (places.size > 0 && ear?.open()) void read();
  }

  function leave(place: Place): void {
    places.delete(place);
    if (places.size > 0) return;
    ear?.close();
    ear = undefined;
  }

  function queue(terms: QueueTerms, seat: QueueSeat): SharedQueue {
    const place: Place = { name: nameOf(terms), seat };
    const inTime = { ...terms, grace: Math.max(0, terms.grace - GRAIN) };
    const life = Math.max(terms.ownerLife, STEPS * terms.recovery) + LEAST_LIFE;
    let isKnown = false;
    let isOpen = true;
    places.add(place);

    /** One request, what lay in the file for this owner, and what others should hear. */
    function ask(request: QueueRequest, session: Session, times: Times, bellId: number, isLast: boolean) {
      const table = session.queues();
      const { elapsed: now } = times;
      const state = table.read(place.name);
      const before = table.seats(place.name);
      const seats = new Map(before);
      const own = seats.get(seat.owner)?.mail?.grants ?? [];
      const unused = [...reclaimed(terms, state, seats, seat.owner, now), ...(isLast ? own : [])];
      const left = isLast ? state.tickets.filter(({ owner }) => owner === seat.owner).map(({ id }) => id) : [];
      const all = {
        ...request,
        unused: [...unused, ...(request.unused ?? [])],
        leave: [...left, ...(request.leave ?? [])],
      };
      const { reply, told } = exchange(inTime, state, seat.owner, all, now, (demands, mode) =>
        takeAll(session.states, times, demands, { mode }),
      );
      if (isLast) delete state.owners[seat.owner];
      else seats.set(seat.owner, { bell: bellId, mail: undefined });
      const rung = deliver(seats, told, now);
      const silent = [
        ...settle(table, place.name, before, seats, state),
        ...table.write(place.name, state, now, now + life),
      ];
      const missing = reply.missing.filter((id) => !own.some((grant) => grant.id === id));
      return { reply: { ...reply, missing }, own: isLast ? [] : own, rung, silent };
    }

    async function send(request: QueueRequest, isLast = false): Promise<QueueReply> {
      if (ear === undefined) {
        path = fileOf(database);
        ear = bell(path, () => void read());
      }
      const { id } = ear;
      const { reply, own, rung, silent } = await run((session, times) => ask(request, session, times, id, isLast));
      // Not part of the reply: those were not made after the request was sent.
      if (own.length > 0) seat.inform({ now: reply.now, grants: own });
      ring(path, rung);
      removeBells(path, silent);
      return reply;
    }

    return {
      async exchange(request) {
        if (!isOpen) throw new Error("This place in the queue is closed, and asks for nothing more.");
        const reply = await send(request);
        isKnown = true;
        listen();
        return reply;
      },
      async close() {
        if (!isOpen) return;
        isOpen = false;
        try {
          if (isKnown) await send({}, true);
        } finally {
          leave(place);
        }
      },
    };
  }

  return {
    queue,
    close() {
      for (const place of [...places]) leave(place);
    },
  };
}

/** Where a database is, by the same name for all processes; undefined if it is in memory. */
function fileOf(database: SqliteDatabase): string | undefined {
  const list = database.prepare("PRAGMA database_list").all() as { name: string; file: string | null }[];
  return list.find(({ name }) => name === "main")?.file || undefined;
}

/** Whoever gives other terms stands in another queue. */
function nameOf(terms: QueueTerms): Uint8Array {
  const text = JSON.stringify(terms, (key, value) => (key === "algorithm" ? [value.name, value.params] : value));
  return createHash("sha256").update(text).digest();
}

/** Grants that nobody has read and that nobody can use any more go back: their owners are gone, or stopped. */
function reclaimed(
  { ownerLife }: QueueTerms,
  { owners }: QueueState,
  seats: Map<string, Seat>,
  reader: string,
  now: number,
): readonly Grant[] {
  const back: Grant[] = [];
  for (const [owner, { bell: id, mail }] of seats) {
    if (owner === reader || mail === undefined) continue;
    const isGone = (owners[owner] ?? 0) <= now - ownerLife;
    const over = mail.grants.filter(({ at, usable }) => isGone || at + usable < now);
    if (over.length === 0) continue;
    back.push(...over);
    seats.set(owner, { bell: id, mail: { ...mail, grants: mail.grants.filter((grant) => !over.includes(grant)) } });
  }
  return back;
}

/** Put news into the mail of others. Returns whom to ring for. */
function deliver(seats: Map<string, Seat>, told: ReadonlyMap<string, Told>, now: number): ReadonlySet<number> {
  const rung = new Set<number>();
  for (const [owner, { grants, wakeAfter, note }] of told) {
    const seat = seats.get(owner);
    if (seat === undefined) continue;
    const wakeAt = Math.min(seat.mail?.wakeAt ?? Infinity, wakeAfter === undefined ? Infinity : now + wakeAfter);
    const mail: Mail = {
      ...seat.mail,
      grants: [...(seat.mail?.grants ?? []), ...grants],
      ...(wakeAt < Infinity && { wakeAt }),
      ...(note !== undefined && { note }),
    };
    seats.set(owner, { ...seat, mail });
    rung.add(seat.bell);
  }
  return rung;
}

/** Write the seats that have changed, and clear those of owners that are gone. Returns bells that nobody hears any more. */
function settle(
  table: QueueTable,
  name: Uint8Array,
  before: ReadonlyMap<string, Seat>,
  seats: ReadonlyMap<string, Seat>,
  { owners }: QueueState,
): readonly number[] {
  const silent: number[] = [];
  for (const [owner, seat] of seats) {
    const old = before.get(owner);
    if (owners[owner] === undefined) {
      if (table.leave(name, owner, seat.bell)) silent.push(seat.bell);
    } else if (old?.bell !== seat.bell || old.mail !== seat.mail) {
      table.sit(name, owner, seat);
    }
  }
  return silent;
}

const newsOf = ({ grants, wakeAt, note }: Mail, now: number): QueueNews => ({
  now,
  grants,
  ...(wakeAt !== undefined && { wakeAfter: Math.max(0, wakeAt - now) }),
  ...(note !== undefined && { note }),
});
