import type { Watchable } from "./gateway.ts";

/** Limits of every kind. */
export const POLICIES = `
wait: 2s
perClient: 300/min
tools:
  search: 20/min
  "*": 120/min
policies:
  - name: imports
    match: { tool: "import_*" }
    key: [client, tool]
    quota: 3/s
    adapt: { slow: 2s }
    advice: Ask the data team for the nightly window.
  - name: search-on-trial
    match: { tool: search }
    quota: 8/min
    mode: shadow
  - name: exports
    match: { tool: export_all }
    quota: 2/day UTC
  - name: writes
    match: { tool: "write_*" }
    key: everyone
    quota: 30/min
`;

/** A little of everything: who keeps to the limits, who does not, who waits. */
export async function traffic(gateway: Watchable): Promise<void> {
  await Promise.all([
    gateway.calls(14, "search", "ann"),
    gateway.calls(9, "read_page", "ann"),
    gateway.calls(46, "search", "crawler"),
    gateway.calls(6, "import_rows", "nightly-import"),
    gateway.calls(5, "write_note", "bob"),
    gateway.calls(4, "search", "bob"),
    gateway.calls(3, "read_page"),
  ]);
}
