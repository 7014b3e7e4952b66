import type { McpDecisionEvent, McpGate } from "sluice/mcp";
import { type ClientTable, clientTable } from "../clients.ts";
import { type Changes, changes } from "./changes.ts";
import { type Counts, counts } from "./counts.ts";
import { type DecisionLog, decisionLog } from "./decision-log.ts";
import { type Histories, histories } from "./history.ts";

/** What happens at a gateway, for those who look at it while it happens. */
export interface Live {
  /** In milliseconds since 1970. Who was cut off sees whether it is still the same. */
  readonly startedAt: number;
  /** Who calls. */
  readonly clients: ClientTable;
  readonly counts: Counts;
  readonly log: DecisionLog;
  readonly histories: Histories;
  /** What operators and the policy file did. */
  readonly changes: Changes;
  saw(event: McpDecisionEvent): void;
}

/** @param gate what decides now */
export function live(gate: () => McpGate): Live {
  const parts = {
    clients: clientTable(),
    counts: counts(),
    log: decisionLog(gate),
    histories: histories(),
    changes: changes(),
  };
  return {
    startedAt: Date.now(),
    ...parts,
    saw(event) {
      parts.clients.saw(event);
      parts.counts.saw(event);
      parts.log.saw(event);
      parts.histories.saw(event);
    },
  };
}
