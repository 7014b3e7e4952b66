/** A page of the site: its title in the sidebar, and its file in the repository. */
export interface Page {
  readonly text: string;
  readonly file: string;
}

/** All pages, by subject. A page that is in none of them cannot be found: scripts/check-docs.ts looks for such. */
export const subjects: readonly { readonly text: string; readonly pages: readonly Page[] }[] = [
  {
    text: "Start",
    pages: [
      { text: "What Sluice is", file: "README.md" },
      { text: "Limits for MCP servers", file: "docs/mcp.md" },
      { text: "Limits for HTTP", file: "docs/http.md" },
      { text: "Calls that go out", file: "docs/outbound.md" },
      { text: "The gateway", file: "docs/gateway.md" },
      { text: "Coming from …", file: "docs/coming-from.md" },
    ],
  },
  {
    text: "Limits",
    pages: [
      { text: "The limiter", file: "docs/limiter.md" },
      { text: "Policies", file: "docs/policies.md" },
      { text: "Choosing an algorithm", file: "docs/algorithms.md" },
      { text: "Many processes call one API", file: "docs/outbound/processes.md" },
    ],
  },
  {
    text: "Stores",
    pages: [
      { text: "Choosing a store", file: "docs/stores/README.md" },
      { text: "Memory", file: "docs/stores/memory.md" },
      { text: "SQLite", file: "docs/stores/sqlite.md" },
      { text: "Redis and Valkey", file: "docs/stores/redis.md" },
      { text: "A store of your own", file: "docs/stores/your-own.md" },
    ],
  },
  {
    text: "Seeing and trying",
    pages: [
      { text: "The live page", file: "docs/live-page.md" },
      { text: "Metrics and logs", file: "docs/metrics.md" },
      { text: "OpenTelemetry", file: "docs/opentelemetry.md" },
      { text: "Trying a policy on a log", file: "docs/simulate.md" },
    ],
  },
  {
    text: "In production",
    pages: [
      { text: "Checklist", file: "docs/production-checklist.md" },
      { text: "Failure modes", file: "docs/failure-modes.md" },
      { text: "Exactness", file: "docs/exactness.md" },
      { text: "Speed", file: "docs/speed.md" },
      { text: "How it is measured", file: "bench/README.md" },
    ],
  },
  {
    text: "Examples",
    pages: [
      { text: "Many processes, one limit", file: "examples/many-processes/README.md" },
      { text: "Upstreams of a tool", file: "examples/outbound/README.md" },
    ],
  },
  {
    text: "The project",
    pages: [
      { text: "Architecture", file: "docs/architecture.md" },
      { text: "Contributing", file: "CONTRIBUTING.md" },
      { text: "Security", file: "SECURITY.md" },
      { text: "Changelog", file: "CHANGELOG.md" },
    ],
  },
];
