import { newQueue, type QueuedTicket, type QueueState } from "../../../limiter/queue-state.ts";

/** A value as bytes of JSON. */
export const toJson = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** What the bytes say, if that is an object or a list. */
export function fromJson<T>(bytes: Uint8Array): T | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    return typeof value === "object" && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}

/** A queue as it is written: most of it are tickets, so they are lists, and say names by their place in another list. */
interface Written extends Omit<QueueState, "tickets"> {
  readonly names: readonly string[];
  readonly tickets: readonly (readonly [id: number, owner: number, lane: number, cost: number, order: number])[];
}

export function queueToJson({ tickets, ...state }: QueueState): Uint8Array {
  const places = new Map<string, number>();
  const placeOf = (name: string): number => {
    const place = places.get(name) ?? places.size;
    places.set(name, place);
    return place;
  };
  const lists = tickets.map(
    ({ id, owner, lane, cost, order }) => [id, placeOf(owner), placeOf(lane), cost, order - state.now] as const,
  );
  return toJson({ ...state, tickets: lists, names: [...places.keys()] } satisfies Written);
}

/** Undefined if it is no queue: then it is lost, and a new one begins. */
export function queueFromJson(bytes: Uint8Array): QueueState | undefined {
  const found = fromJson<Written>(bytes);
  if (found === undefined || !isLike(found, { ...newQueue(), names: [] })) return undefined;
  const { names, ...state } = found;
  const tickets: QueuedTicket[] = [];
  for (const ticket of found.tickets) {
    if (!Array.isArray(ticket)) return undefined;
    const [id, owner, lane, cost, order] = ticket;
    tickets.push({ id, owner: names[owner]!, lane: names[lane]!, cost, order: order + state.now });
  }
  return { ...newQueue(), ...state, tickets };
}

/** Whether all that stands in `model` stands in `found`, of the same kind. */
function isLike(found: object, model: object): boolean {
  return Object.entries(model).every(([key, value]) => {
    const own = (found as Record<string, unknown>)[key];
    if (value === undefined) return true;
    return typeof own === typeof value && own !== null && Array.isArray(own) === Array.isArray(value);
  });
}
