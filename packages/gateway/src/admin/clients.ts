import type { McpDecisionEvent } from "sluice/mcp";
import { newsOfCalls } from "./live/news.ts";

/** What a gateway knows of a client since it started. */
export interface ClientRow {
  /** Its key, as limits and logs have it. */
  readonly client: string;
  readonly tier?: string | undefined;
  readonly passed: number;
  readonly refused: number;
  /** Of the passed: those that a limit on trial would have refused. */
  readonly wouldBeRefused: number;
  /** Its last call, in milliseconds since 1970. */
  readonly lastAt: number;
  readonly lastCall: { readonly method: string; readonly tool?: string | undefined };
  /** Of the last call: the limit of which least is left. */
  readonly tightest: {
    /** The name of the policy or limit, as overrides name it. */
    readonly policy?: string | undefined;
    readonly quota: string;
    readonly limit: number;
    readonly remaining: number;
    /** When the limit is as good as new, in milliseconds since 1970. */
    readonly resetAt: number;
  };
}

/** By what clients are sorted, most first. */
export const ORDERS = ["calls", "refused", "used", "last"] as const;
export type Order = (typeof ORDERS)[number];

/** Who calls a gateway. */
export interface ClientTable {
  saw(event: McpDecisionEvent): void;
  /** The first so many. */
  top(count: number, by: Order): readonly ClientRow[];
  readonly size: number;
  /** How many have used most of a limit that has not flowed back. */
  readonly near: number;
}

/** Those who have not called for longest are forgotten first: a flood of new ones does not push out who calls all the time. */
const MOST_CLIENTS = 10_000;

/** Who has used so much of a limit is near to it. */
const NEAR = 0.8;

const used = ({ tightest: { limit, remaining } }: ClientRow): number => 1 - remaining / limit;

const rank: Readonly<Record<Order, (row: ClientRow) => number>> = {
  calls: ({ passed, refused }) => passed + refused,
  refused: ({ refused }) => refused,
  used,
  last: ({ lastAt }) => lastAt,
};

export function clientTable({ capacity = MOST_CLIENTS, now = Date.now } = {}): ClientTable {
  const rows = new Map<string, ClientRow>();
  const newsOf = newsOfCalls();
  const fresh = { passed: 0, refused: 0, wouldBeRefused: 0 };

  return {
    saw(event) {
      const { call, client, tier, mode, decision, decisions } = event;
      const { isNewCall, isFirstRefusalOnTrial } = newsOf(event);
      const before = rows.get(client);
      const { passed, refused, wouldBeRefused } = before ?? fresh;
      if (!isNewCall) {
        if (isFirstRefusalOnTrial && before !== undefined) {
          rows.set(client, { ...before, wouldBeRefused: wouldBeRefused + 1 });
        }
        return;
      }
      rows.delete(client);
      if (rows.size >= capacity) rows.delete(rows.keys().next().value!);
      const all: readonly Limiting[] = [{ decision }, ...decisions];
      const { policy, decision: tight } = all.reduce((a, b) => (share(b) <= share(a) ? b : a));
      const hasPassed = mode === "shadow" || decision.allowed;
      const { method, tool } = call;
      rows.set(client, {
        client,
        tier,
        passed: passed + (hasPassed ? 1 : 0),
        refused: refused + (hasPassed ? 0 : 1),
        wouldBeRefused: wouldBeRefused + (isFirstRefusalOnTrial ? 1 : 0),
        lastAt: now(),
        lastCall: { method, tool },
        tightest: {
          policy,
          quota: tight.quota,
          limit: tight.limit,
          remaining: tight.remaining,
          resetAt: now() + tight.resetAfterMs,
        },
      });
    },
    top: (count, by) => [...rows.values()].sort((a, b) => rank[by](b) - rank[by](a)).slice(0, count),
    get near() {
      const at = now();
      let found = 0;
      for (const row of rows.values()) if (used(row) >= NEAR && row.tightest.resetAt > at) found++;
      return found;
    },
    get size() {
      return rows.size;
    },
  };
}

type Limiting = Pick<McpDecisionEvent, "decision"> & { readonly policy?: string };

const share = ({ decision: { remaining, limit } }: Limiting): number => remaining / limit;
