import type { McpDecisionEvent } from "sluice/mcp";
import { type ClientTable, clientTable } from "../clients.ts";
import { type Counts, counts } from "./counts.ts";
import { type DecisionLog, decisionLog } from "./decision-log.ts";

/** What happens at a gateway, for those who look at it while it happens. */
export interface Live {
  /** Who calls. */
  readonly clients: ClientTable;
  readonly counts: Counts;
  readonly log: DecisionLog;
  saw(event: McpDecisionEvent): void;
}

export function live(): Live {
  const parts = { clients: clientTable(), counts: counts(), log: decisionLog() };
  return {
    ...parts,
    saw(event) {
      parts.clients.saw(event);
      parts.counts.saw(event);
      parts.log.saw(event);
    },
  };
}
