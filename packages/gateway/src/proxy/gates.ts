import type { McpGate } from "sluice/mcp";

/** The gate that decides now. After a reload it is another one; what was admitted before still belongs to the one before. */
export interface Gates {
  readonly current: McpGate;
  /** Whether limits depend on headers. @default they may */
  readonly readsHeaders?: boolean;
  /** Hears what servers answer to `tools/list`. @default nobody wants to know */
  sawTools?(result: unknown): void;
}
