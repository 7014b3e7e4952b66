import type { Quota } from "sluice";
import type { McpDecisionEvent } from "sluice/mcp";

/** What was asked of a limit: by each key, in each slot of time. */
export interface LimitHistory {
  readonly policy: string;
  readonly quota: string;
  readonly rate: string;
  readonly mode: "enforce" | "shadow";
  readonly limit: number;
  readonly periodMs: number;
  /** In milliseconds. */
  readonly slotMs: number;
  /** When the first slot began, in milliseconds since 1970. The last one is not over. */
  readonly from: number;
  /** Those who asked most. */
  readonly keys: readonly KeyHistory[];
  /** What all others asked. */
  readonly left: { readonly keys: number; readonly units: number };
}

interface KeyHistory {
  readonly key: string;
  /** Units asked for in each slot, allowed or refused. */
  readonly asked: readonly number[];
}

/** What was asked lately. */
export interface Histories {
  saw(event: McpDecisionEvent): void;
  /** @param top so many keys */
  find(which: Pick<LimitHistory, "policy" | "quota" | "rate" | "mode">, top: number): LimitHistory | undefined;
}

/** A period has so many slots, and this is remembered of so many slots: ten periods. */
const SLOTS_OF_PERIOD = 12;
const SLOTS = 120;
const SHORTEST_SLOT_MS = 1_000;
/** Of all limits together. Who has no place is counted, without a name. */
const MOST_KEYS = 5_000;

interface Track {
  readonly about: Pick<LimitHistory, "policy" | "quota" | "rate" | "mode" | "limit" | "periodMs">;
  readonly slotMs: number;
  readonly keys: Map<string, Slots>;
  /** Units asked for by keys that found no place. */
  left: number;
}

/** Units of the last slots, in a ring. */
interface Slots {
  readonly units: Float64Array;
  last: number;
}

export function histories({ mostKeys = MOST_KEYS, now = Date.now } = {}): Histories {
  const tracks = new Map<string, Track>();
  /** Quotas are the same objects from call to call: their names need not be put together each time. */
  const known = new WeakMap<Quota, Track>();
  let keys = 0;
  let swept = 0;

  function trackOf(policy: string, mode: LimitHistory["mode"], quota: Quota): Track {
    const { name, text: rate, limit, periodMs } = quota;
    const id = idOf({ policy, quota: name, rate, mode });
    let track = tracks.get(id);
    if (track === undefined) {
      const about = { policy, quota: name, rate, mode, limit, periodMs };
      track = { about, slotMs: Math.max(SHORTEST_SLOT_MS, periodMs / SLOTS_OF_PERIOD), keys: new Map(), left: 0 };
      tracks.set(id, track);
    }
    known.set(quota, track);
    return track;
  }

  /** Who has not asked for as long as is remembered needs no place any more. Looked for once a second at most. */
  function sweep(at: number): void {
    if (at - swept < SHORTEST_SLOT_MS) return;
    swept = at;
    for (const track of tracks.values()) {
      const slot = Math.floor(at / track.slotMs);
      for (const [key, { last }] of track.keys) if (slot - last >= SLOTS && track.keys.delete(key)) keys--;
    }
  }

  function slotsOf(track: Track, key: string, slot: number, at: number): Slots | undefined {
    const found = track.keys.get(key);
    if (found !== undefined) return found;
    if (keys >= mostKeys) sweep(at);
    if (keys >= mostKeys) return undefined;
    const slots = { units: new Float64Array(SLOTS), last: slot };
    track.keys.set(key, slots);
    keys++;
    return slots;
  }

  return {
    saw({ mode, decisions }) {
      const at = now();
      for (const { policy, quota, key, cost } of decisions) {
        if (quota.algorithm.name === "concurrency") continue;
        const track = known.get(quota) ?? trackOf(policy, mode, quota);
        const slot = Math.floor(at / track.slotMs);
        const slots = slotsOf(track, key, slot, at);
        if (slots === undefined) {
          track.left += cost;
          continue;
        }
        advance(slots, slot);
        slots.units[slot % SLOTS]! += cost;
      }
    },
    find(which, top) {
      const track = tracks.get(idOf(which));
      if (track === undefined) return undefined;
      const slot = Math.floor(now() / track.slotMs);
      const all = [...track.keys].map(([key, slots]) => {
        advance(slots, slot);
        return { key, asked: inOrder(slots.units, slot), sum: slots.units.reduce((sum, one) => sum + one, 0) };
      });
      const sorted = all.filter(({ sum }) => sum > 0).sort((a, b) => b.sum - a.sum);
      const others = sorted.slice(top);
      return {
        ...track.about,
        slotMs: track.slotMs,
        from: (slot - SLOTS + 1) * track.slotMs,
        keys: sorted.slice(0, top).map(({ key, asked }) => ({ key, asked })),
        left: { keys: others.length, units: others.reduce((sum, one) => sum + one.sum, track.left) },
      };
    },
  };
}

const idOf = ({ policy, quota, rate, mode }: Pick<LimitHistory, "policy" | "quota" | "rate" | "mode">): string =>
  JSON.stringify([mode, policy, quota, rate]);

/** Slots in which nothing was asked are empty. A clock that is set back writes into the last one. */
function advance(slots: Slots, slot: number): void {
  const empty = Math.min(slot - slots.last, SLOTS);
  for (let i = 0; i < empty; i++) slots.units[(slot - i) % SLOTS] = 0;
  if (slot > slots.last) slots.last = slot;
}

const inOrder = (units: Float64Array, slot: number): readonly number[] =>
  Array.from({ length: SLOTS }, (_, i) => units[(slot + 1 + i) % SLOTS]!);
