import { shown } from "../algorithms/numbers.ts";
import { sha256 } from "./coalesce/sha256.ts";

/** The lane of calls that are for nobody and nowhere in particular. */
const COMMON = "~-~-";
/** Goes into a lane as it is: short, printable, and none of the characters that mean something there. */
const PLAIN = /^[A-Za-z0-9_.:@/-]{1,64}$/;

/** The lane of a call: `~tenant~endpoint`. What is long or strange is hashed; a tenant named "-" is not nobody. */
export function laneOf(tenant: string | undefined, endpoint: string | undefined): string {
  if (tenant === undefined && endpoint === undefined) return COMMON;
  return `~${partOf("tenant", tenant)}~${partOf("endpoint", endpoint)}`;
}

function partOf(what: string, value: string | undefined): string {
  if (value === undefined) return "-";
  if (typeof value !== "string" || value === "") {
    throw new TypeError(`The ${what} of a call is a text that is not empty, but it is ${shown(value)}.`);
  }
  return PLAIN.test(value) ? `=${value}` : `#${sha256(value).slice(0, 22)}`;
}
