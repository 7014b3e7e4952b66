/** What was changed while the gateway runs: from then on other limits hold, or limits are as good as new. */
export type Change = ReloadChange | OverrideChange | TakenBackChange | ResetChange;

interface At {
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** The policy file was read. */
interface ReloadChange extends At {
  readonly kind: "reload";
  /** False: it was bad, and the last good one stays. */
  readonly ok: boolean;
  /** Of the policies that hold since then. */
  readonly version: number;
}

/** A client has another rate of a limit for a while. */
interface OverrideChange extends At {
  readonly kind: "override";
  readonly limit: string;
  readonly client: string;
  readonly quota: string;
}

/** It has not any more. */
interface TakenBackChange extends At {
  readonly kind: "taken-back";
  readonly limit: string;
  readonly client: string;
}

/** What a client had used was forgotten. */
interface ResetChange extends At {
  readonly kind: "reset";
  /** @default of a client by its address */
  readonly client?: string | undefined;
  readonly limits: readonly string[];
}

type Untimed<T> = T extends At ? Omit<T, "at"> : never;

/** What operators and the policy file did, as far back as the live page shows calls. */
export interface Changes {
  add(change: Untimed<Change>): void;
  /** Oldest first. */
  list(): readonly Change[];
}

const KEPT_MS = 900_000;
const MOST = 200;

export function changes(now: () => number = Date.now): Changes {
  const all: Change[] = [];
  return {
    add(change) {
      all.push({ ...change, at: now() });
      if (all.length > MOST) all.shift();
    },
    list: () => all.filter(({ at }) => at > now() - KEPT_MS),
  };
}
