/** What became of the calls of one client. */
export interface ClientRow {
  readonly client: string;
  tier: string | undefined;
  calls: number;
  refused: number;
  wasRefused: number;
  newlyRefused: number;
  newlyAllowed: number;
  /** When it was refused first and last, in milliseconds since 1970. */
  firstAt: number | undefined;
  lastAt: number | undefined;
  /** Time in which a call would have been refused again, as far as calls tell: in milliseconds. */
  limitedMs: number;
  /** The longest time that it was told to wait, in milliseconds. */
  longestMs: number;
  /** Until when the last refusal held. */
  limitedUntil: number;
  /** How often by which limit. */
  readonly limits: Map<string, number>;
}

/** Clients, as many as there is room for: those who are refused stay, those who are not make room. */
export interface ClientRows {
  of(client: string): ClientRow;
  /** It has been refused, or was: it stays. */
  note(row: ClientRow): void;
  /** All who were noted, and how many were met: at least so many where `isWhole` is not. */
  readonly noted: ReadonlyMap<string, ClientRow>;
  readonly known: number;
  readonly isWhole: boolean;
}

const MOST_QUIET = 50_000;
const MOST_NOTED = 20_000;

export function clientRows({ mostQuiet = MOST_QUIET, mostNoted = MOST_NOTED } = {}): ClientRows {
  // Two generations: what is not met while one fills up is forgotten with the other. To take the oldest entry out of a map, one by one,
  // takes longer the more have been taken out.
  let quiet = new Map<string, ClientRow>();
  let earlier = new Map<string, ClientRow>();
  const noted = new Map<string, ClientRow>();
  let forgotten = 0;

  function keep(row: ClientRow): ClientRow {
    if (quiet.size >= mostQuiet / 2) {
      forgotten += earlier.size;
      earlier = quiet;
      quiet = new Map();
    }
    quiet.set(row.client, row);
    return row;
  }

  return {
    of(client) {
      const known = quiet.get(client) ?? noted.get(client);
      if (known !== undefined) return known;
      const before = earlier.get(client);
      if (before !== undefined) {
        earlier.delete(client);
        return keep(before);
      }
      return keep({
        client,
        tier: undefined,
        calls: 0,
        refused: 0,
        wasRefused: 0,
        newlyRefused: 0,
        newlyAllowed: 0,
        firstAt: undefined,
        lastAt: undefined,
        limitedMs: 0,
        longestMs: 0,
        limitedUntil: 0,
        limits: new Map(),
      });
    },
    note(row) {
      if (noted.size >= mostNoted) return;
      if (quiet.delete(row.client) || earlier.delete(row.client)) noted.set(row.client, row);
    },
    noted,
    get known() {
      return quiet.size + earlier.size + noted.size + forgotten;
    },
    get isWhole() {
      return forgotten === 0;
    },
  };
}
