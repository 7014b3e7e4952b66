import { expect, it } from "vitest";
import { type Verdict, verdictOf } from "../../../src/outbound/breaker/verdict.ts";

it.each<readonly [Verdict, readonly number[]]>([
  ["success", [200, 204, 304]],
  ["failure", [408, 500, 502, 503, 504, 529]],
  ["neither", [429, 400, 401, 403, 404, 409, 422, 501, 0]],
])("takes a status for a %s: %j", (verdict, statuses) => {
  expect(statuses.map((status) => verdictOf({ status }))).toEqual(statuses.map(() => verdict));
});

it.each<readonly [Verdict, unknown]>([
  ["failure", Object.assign(new Error("reset"), { code: "ECONNRESET" })],
  ["failure", new TypeError("fetch failed", { cause: Object.assign(new Error("no"), { code: "ECONNREFUSED" }) })],
  ["failure", new DOMException("late", "TimeoutError")],
  ["failure", new Error("CoinGecko said 500")],
  ["failure", new SyntaxError("Unexpected token '<'")],
  ["failure", new TypeError("fetch failed", { cause: new Error("certificate has expired") })],
  ["failure", "a string"],
  ["neither", Object.assign(new Error("429"), { response: { status: 429 } })],
  ["neither", Object.assign(new Error("404"), { status: 404 })],
  ["neither", new DOMException("stop", "AbortError")],
  ["neither", Object.assign(new Error("stop"), { code: "ERR_CANCELED" })],
  ["neither", new TypeError("x is not a function")],
  ["neither", new ReferenceError("x is not defined")],
  ["neither", new RangeError("no such limit")],
])("takes for a %s: %s", (verdict, error) => {
  expect(verdictOf({ error })).toBe(verdict);
});
