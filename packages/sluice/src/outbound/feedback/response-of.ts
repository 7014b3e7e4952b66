import { field } from "../field.ts";
import type { ResponseHead } from "./statement.ts";

/**
 * The response in what came of a call: the value itself, or the `response` of an error, or the error where it carries
 * headers of its own. Undefined where there is none.
 */
export function responseOf(
  outcome: { readonly value: unknown } | { readonly error: unknown },
): ResponseHead | undefined {
  if ("value" in outcome) return headOf(outcome.value);
  const { error } = outcome;
  return headOf(field(error, "response")) ?? headOf(error);
}

function headOf(value: unknown): ResponseHead | undefined {
  const headers = field(value, "headers");
  if (typeof headers !== "object" || headers === null) return undefined;
  const status = field(value, "status") ?? field(value, "statusCode");
  return typeof status === "number" ? { status, headers: headers as ResponseHead["headers"] } : undefined;
}
