import { shown } from "../algorithms/numbers.ts";
import { type Clock, systemClock } from "../limiter/clock.ts";
import { milliseconds } from "../limiter/duration.ts";
import { parseRate, toQuotas } from "../limiter/rate.ts";
import { chain, guarded } from "../limiter/reply.ts";
import type { DocumentText, SharedDocument } from "../limiter/shared-document.ts";
import type { Awaitable, Store } from "../limiter/store.ts";

/** Other rates for one client under one limit, for a while. */
export interface Override {
  /** Which limit: the name of a policy, or where a limit stands, such as `"perClient"` or `"tools.search"`. */
  readonly limit: string;
  /** Whose: the client's key, as events and logs show it. */
  readonly client: string;
  /** Rates instead of the limit's own, or of those of the client's tier; `"unlimited"`: none; `"blocked"`: nothing passes. */
  readonly quota: string | readonly string[];
  /** Until when, in milliseconds since 1970. */
  readonly until: number;
  /** Why, for those who come later. */
  readonly note?: string;
}

/** What operators have changed while servers run, shared by all over one store. */
export interface Overrides {
  /** Those that are in force, from the store. */
  list(): Promise<readonly Override[]>;
  /** Adds one, in the place of another for the same client and limit. @throws RangeError, TypeError for one that cannot be. */
  set(override: Override): Promise<void>;
  /** Whether there was one. */
  remove(which: Pick<Override, "limit" | "client">): Promise<boolean>;
  /** Reads now what others have changed, instead of within `pollMs`. */
  refresh(): Awaitable<void>;
  /** The one that is in force in this process. */
  find(limit: string, client: string): Override | undefined;
  /** Until when a client is blocked, in milliseconds since 1970; `undefined`: it is not. */
  blockedUntil(limit: string, client: string): number | undefined;
  /** Reads no more. */
  close(): void;
}

export interface OverridesOptions {
  /** A store that keeps shared texts: memory, SQLite, Redis, and stores around them. */
  readonly store: Store;
  /** Servers with the same name and store share them. @default "mcp" */
  readonly name?: string;
  /** How soon a change is heard of that another process has made. In milliseconds. @default 1_000 */
  readonly pollMs?: number;
  /** Is told when they cannot be read; those that are known stay in force. @default nobody */
  readonly onError?: (error: unknown) => void;
}

/** More would make each change slow; who needs them has tiers. */
const MOST = 10_000;
const LONGEST_TEXT = 1_024;

/** @throws TypeError for a store that keeps no shared texts */
export function createOverrides({
  store,
  name = "mcp",
  pollMs = 1_000,
  onError = () => {},
}: OverridesOptions): Overrides {
  if (store.document === undefined) {
    throw new TypeError("This store keeps no shared texts (it has no `document`), so it cannot keep overrides.");
  }
  milliseconds("pollMs", pollMs, 10);
  const clock: Clock = store.clock ?? systemClock;
  const document: SharedDocument = store.document(`overrides/${name}`);
  const nowMs = (): number => clock.wall() / 1000;
  /** By limit and by client: this stands in the way of every decision. */
  let known = new Map<string, Map<string, Override>>();
  /** Most often nobody is blocked, and every limit of a call asks. */
  let hasBlocks = false;
  let version = -1;
  let isClosed = false;
  let cancel: () => void = () => {};

  function learn(found: DocumentText | undefined): void {
    if (found === undefined || found.version === version) return;
    known = new Map();
    hasBlocks = false;
    for (const one of listed(found.text)) {
      hasBlocks ||= one.quota === BLOCKED;
      const ofLimit = known.get(one.limit) ?? new Map<string, Override>();
      known.set(one.limit, ofLimit.set(one.client, one));
    }
    version = found.version;
  }

  function refresh(): Awaitable<void> {
    return chain(document.read(), learn);
  }

  function poll(): void {
    const again = () => {
      if (!isClosed) cancel = clock.after(pollMs, poll, true);
    };
    guarded(
      () => chain(refresh(), again),
      (error) => {
        onError(error);
        again();
      },
    );
  }

  /** Changes the list as it stands in the store, however many do so at once. */
  async function change<T>(edit: (list: Map<string, Override>) => T): Promise<T> {
    for (;;) {
      const found = await document.read();
      const list = new Map(inForce(listed(found?.text ?? "[]")).map((one) => [nameOf(one), one]));
      const result = edit(list);
      const text = JSON.stringify([...list.values()]);
      if (!(await document.replace(found?.version ?? 0, text))) continue;
      learn({ version: (found?.version ?? 0) + 1, text });
      return result;
    }
  }

  function find(limit: string, client: string): Override | undefined {
    const found = known.get(limit)?.get(client);
    return found !== undefined && found.until > nowMs() ? found : undefined;
  }

  const inForce = (list: readonly Override[]) => list.filter(({ until }) => until > nowMs());

  poll();
  return {
    refresh,
    async list() {
      await refresh();
      return inForce([...known.values()].flatMap((ofLimit) => [...ofLimit.values()]));
    },
    async set(override) {
      const checked = checkedOverride(override, nowMs());
      await change((list) => {
        list.delete(nameOf(checked));
        if (list.size >= MOST)
          throw new RangeError(`There are ${MOST} overrides already. Use tiers for so many clients.`);
        list.set(nameOf(checked), checked);
      });
    },
    remove: (which) => change((list) => list.delete(nameOf(which))),
    find,
    blockedUntil(limit, client) {
      if (!hasBlocks) return undefined;
      const found = find(limit, client);
      return found?.quota === BLOCKED ? found.until : undefined;
    },
    close() {
      isClosed = true;
      cancel();
    },
  };
}

const nameOf = ({ limit, client }: Pick<Override, "limit" | "client">): string => `${limit}\n${client}`;

/** What is no list of overrides is none: a program of another version may have written it. */
function listed(text: string): readonly Override[] {
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) ? found.filter(isOverride) : [];
  } catch {
    return [];
  }
}

function isOverride(given: unknown): given is Override {
  try {
    checkedOverride(given as Override, -Infinity);
    return true;
  } catch {
    return false;
  }
}

function checkedOverride(given: Override, nowMs: number): Override {
  const { limit, client, quota, until, note } = (given ?? {}) as Partial<Override>;
  for (const [field, value] of Object.entries({ limit, client })) {
    if (typeof value !== "string" || value === "" || value.length > LONGEST_TEXT || value.includes("\n")) {
      throw new TypeError(
        `An override's ${field} is a text of up to ${LONGEST_TEXT} characters, but it is ${shown(value)}.`,
      );
    }
  }
  if (typeof until !== "number" || !Number.isFinite(until) || until <= nowMs) {
    throw new RangeError(
      `An override's until is a time to come, in milliseconds since 1970, but it is ${shown(until)}.`,
    );
  }
  if (note !== undefined && (typeof note !== "string" || note.length > LONGEST_TEXT)) {
    throw new TypeError(`An override's note is a text of up to ${LONGEST_TEXT} characters, but it is ${shown(note)}.`);
  }
  if (quota !== UNLIMITED && quota !== BLOCKED) toQuotas([quota].flat().map((rate) => parseRate(rate as string)));
  return { limit: limit!, client: client!, quota: quota!, until, ...(note !== undefined && { note }) };
}

export const UNLIMITED = "unlimited";
export const BLOCKED = "blocked";
