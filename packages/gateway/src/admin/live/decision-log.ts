import type { McpDecisionEvent, McpGate } from "sluice/mcp";

/** A decision as the live page shows it. Never arguments. */
export interface LoggedDecision
  extends Pick<McpDecisionEvent, "client" | "tier" | "mode" | "waitedMs" | "decisions" | "refusal"> {
  /** Counts up from 1. */
  readonly id: number;
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly method: string;
  readonly tool?: string | undefined;
  readonly decision: McpDecisionEvent["decision"];
  /** What decided, and words its refusals: a reload puts another one in its place. */
  readonly gate: McpGate;
}

/** The last decisions, and who wants to hear of new ones. */
export interface DecisionLog {
  saw(event: McpDecisionEvent): void;
  /** Those after this one that are still there, and how many are not. */
  since(id: number): { readonly decisions: readonly LoggedDecision[]; readonly missed: number };
  /** The latest id. */
  readonly last: number;
  /** Returns what ends it. */
  subscribe(hear: (decision: LoggedDecision) => void): () => void;
  /** Decisions of the last full second that were counted and not kept, because there were too many. */
  readonly unsent: number;
}

const KEPT = 1_000;
/** Of each kind in a second: nobody reads more, and refusals are not pushed out by what passes. */
const MOST_PER_SECOND = 50;

export function decisionLog(gate: () => McpGate, now: () => number = Date.now): DecisionLog {
  const ring: LoggedDecision[] = [];
  const listeners = new Set<(decision: LoggedDecision) => void>();
  let last = 0;
  let second = 0;
  let [passed, refused, unsent, unsentBefore] = [0, 0, 0, 0];

  function begin(next: number): void {
    unsentBefore = next === second + 1 ? unsent : 0;
    second = next;
    [passed, refused, unsent] = [0, 0, 0];
  }

  return {
    saw({ call: { method, tool }, client, tier, mode, decision, decisions, waitedMs, refusal }) {
      const at = now();
      const running = Math.floor(at / 1000);
      if (running !== second) begin(running);
      const nth = decision.allowed ? ++passed : ++refused;
      if (nth > MOST_PER_SECOND) {
        unsent++;
        return;
      }
      const about = { method, tool, client, tier, mode, decision, decisions, waitedMs, refusal };
      const kept = { ...about, id: ++last, at, gate: gate() };
      // One in the place of the oldest.
      ring[(last - 1) % KEPT] = kept;
      for (const hear of listeners) hear(kept);
    },
    since(id) {
      const from = Math.max(id + 1, last - KEPT + 1, 1);
      const decisions: LoggedDecision[] = [];
      for (let one = from; one <= last; one++) decisions.push(ring[(one - 1) % KEPT]!);
      return { decisions, missed: Math.max(0, from - id - 1) };
    },
    get last() {
      return last;
    },
    subscribe(hear) {
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    get unsent() {
      const running = Math.floor(now() / 1000);
      if (running !== second) begin(running);
      return unsentBefore;
    },
  };
}
