import { intercept } from "../../inbound/mcp/intercept.ts";
import type { TransportLike } from "../../inbound/mcp/types.ts";
import type { Operation } from "./operations.ts";

/** What has no answer when a connection ends will have none. */
export function failWhenClosed(transport: TransportLike, running: Map<unknown, Operation>): void {
  intercept(
    transport,
    "onclose",
    (next) =>
      function (this: unknown) {
        for (const operation of running.values()) operation.failed("connection_closed");
        running.clear();
        next.call(this);
      },
  );
}
