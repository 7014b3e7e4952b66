import { shown } from "../algorithms/numbers.ts";
import { parseDuration } from "./duration.ts";
import { perMonth, perPeriod, type Quota, type QuotaOptions } from "./quota.ts";

const FORM = `Write "60/min", "5/10s", "20/s burst 40", "100000/day UTC" or "1000/month Europe/Berlin".`;
const RATE =
  /^\s*(?<limit>\d[\d_]*(?:\.\d+)?)\s*\/\s*(?<period>(?:\d+(?:\.\d+)?\s*)?[a-z]+)(?:\s+burst\s+(?<burst>\d[\d_]*))?(?:\s+(?<zone>[A-Z][\w+/-]*))?\s*$/;

/**
 * A quota written as text: `"60/min"` (any minute), `"5/10s"`, `"20/s burst 40"` (token bucket),
 * `"100000/day UTC"` (calendar day), `"1/30d"`.
 *
 * @throws RangeError that shows the text and the forms that there are.
 */
export function parseRate(text: string, options: Pick<QuotaOptions, "name"> = {}): Quota {
  const { limit, period, burst, zone } = RATE.exec(text)?.groups ?? {};
  if (limit === undefined || period === undefined) throw new RangeError(`${shown(text)} is not a rate. ${FORM}`);
  const all: QuotaOptions = {
    ...options,
    ...(burst !== undefined && { burst: wholeOf(burst) }),
    ...(zone !== undefined && { timeZone: zone }),
  };
  if (period === "month") {
    if (zone === undefined)
      throw new RangeError(`${shown(text)} needs a time zone, because months differ in length: "${text.trim()} UTC".`);
    return named(text, () => perMonth(wholeOf(limit), { ...all, timeZone: zone }));
  }
  const periodMs = parseDuration(period);
  if (periodMs === undefined) throw new RangeError(`${shown(text)} has the unknown period ${shown(period)}. ${FORM}`);
  return named(text, () => perPeriod(wholeOf(limit), periodMs, all));
}

/** What is wrong with a number is said together with the text that it stands in. */
function named(text: string, make: () => Quota): Quota {
  try {
    return make();
  } catch (cause) {
    throw new RangeError(`${shown(text)} cannot be: ${(cause as Error).message}`, { cause });
  }
}

const wholeOf = (digits: string): number => Number(digits.replaceAll("_", ""));

/** A quota, or the text of one. */
export type QuotaLike = Quota | string;

/** One quota or several, each as an object or as text, as a list of quotas with different names. */
export function toQuotas(given: QuotaLike | readonly QuotaLike[]): readonly Quota[] {
  const quotas = [given].flat().map((one) => (typeof one === "string" ? parseRate(one) : checked(one)));
  if (quotas.length === 0) throw new RangeError("At least one quota is needed, but the list is empty.");
  quotas.forEach(({ name }, i) => {
    if (quotas.findIndex((other) => other.name === name) !== i) {
      throw new RangeError(
        `Two quotas are named "${name}": give one of them another name, such as perMinute(60, { name: "..." }).`,
      );
    }
  });
  return quotas;
}

function checked(given: unknown): Quota {
  const { name, algorithm } = (given ?? {}) as Partial<Quota>;
  if (typeof name === "string" && typeof algorithm?.apply === "function") return given as Quota;
  throw new TypeError(`A quota is a text such as "60/min" or the result of perMinute(60), but it is ${shown(given)}.`);
}
