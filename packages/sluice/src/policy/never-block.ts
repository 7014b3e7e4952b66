/**
 * Requests that are never refused and never counted: refusing them breaks connecting (`server/discover`
 * silently downgrades a client to the old protocol), liveness, or the release of work.
 *
 * Notifications, responses, GET streams and DELETE are not requests and never reach a decision.
 */
export const NEVER_BLOCKED: ReadonlySet<string> = new Set([
  "server/discover",
  "ping",
  "logging/setLevel",
  "tasks/cancel",
  "tasks/update",
  "resources/unsubscribe",
]);

/**
 * Requests that come with connecting and looking around, and streams that are long-lived: charged
 * only under limits that name them, because clients report a refused list as a failed connection.
 */
export const COUNTED_BY_NAME_ONLY: ReadonlySet<string> = new Set([
  "initialize",
  "tools/list",
  "resources/list",
  "resources/templates/list",
  "prompts/list",
  "tasks/get",
  "tasks/list",
  "tasks/result",
  "subscriptions/listen",
  "resources/subscribe",
]);
