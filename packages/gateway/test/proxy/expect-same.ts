import { expect } from "vitest";
import type { ClientKind } from "../../../sluice/test/inbound/mcp/clients.ts";
import type { Target } from "./full-client.ts";
import { playScenario } from "./full-scenario.ts";

/** Expects that a client sees of a full server all that there is, and the same through the gateway. */
export async function expectSame(
  kind: ClientKind,
  generation: "v1" | "v2",
  direct: Target,
  behind: Target,
): Promise<void> {
  const parts = await playScenario(kind, direct, generation);
  expect(await playScenario(kind, behind, generation)).toEqual(parts);

  const toldIn = (part: string) => parts[part]!.told.map(({ method }) => method.replace("notifications/", ""));
  expect(toldIn("progress and log")).toEqual(Array.from({ length: 5 }, () => ["message", "progress"]).flat());
  expect(toldIn("a long stream")).toHaveLength(100);
  expect(toldIn("log by level")).toEqual(["message"]);
  const asked = ["elicitation/create", "elicitation/create", "sampling/createMessage", "roots/list"];
  const isModern = kind === "v2 modern";
  // In the new era a server asks in its answers: four with a question, and the last one.
  expect(toldIn("what the server asks")).toEqual(isModern ? [] : asked);
  expect(parts["what the server asks"]!.answers).toHaveLength(isModern ? 5 : 1);
  for (const said of ["Ann", "decline", "Something.", "file:///home/ann"]) {
    expect(JSON.stringify(parts["what the server asks"]!.result)).toContain(said);
  }
  expect(parts.cancel!.result[0]).toContain("I have no time.");
  const changes = isModern ? [...toldIn("listen")] : [...toldIn("subscribe"), ...toldIn("list changed")];
  expect(changes).toEqual([
    ...(isModern ? ["subscriptions/acknowledged"] : []),
    "resources/updated",
    "tools/list_changed",
  ]);
  if ("tasks" in parts) expect(JSON.stringify(parts.tasks)).toMatch(/"working".*"job 7".*"completed".*"cancelled"/);
  expect("tasks" in parts).toBe(kind === "v1" && generation === "v1");
  if ("url" in direct && !isModern) {
    expect(parts.http!.result).toContain("the rest of a stream: text/event-stream");
    expect("end of the session" in parts).toBe(true);
  }

  const failed = Object.keys(parts).filter((part) => parts[part]!.result?.failed !== undefined);
  expect(failed).toEqual([
    "read nowhere://1",
    "prompt without its argument",
    // An error in the newer SDK, and a result that says so in the older one.
    ...(generation === "v2" ? ["no-such-tool"] : []),
  ]);
}
