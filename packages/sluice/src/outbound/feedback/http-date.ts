const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const TIME = String.raw`(?<hour>[01]\d|2[0-3]):(?<minute>[0-5]\d):(?<second>[0-5]\d|60)`;

/** The three forms of RFC 9110, section 5.6.7: IMF-fixdate, RFC 850, and what C's asctime writes. */
const FORMS = [
  new RegExp(`^[a-z]{3}, (?<day>\\d\\d) (?<month>[a-z]{3}) (?<year>\\d{4}) ${TIME} GMT$`, "i"),
  new RegExp(`^[a-z]{6,9}, (?<day>\\d\\d)-(?<month>[a-z]{3})-(?<year>\\d\\d) ${TIME} GMT$`, "i"),
  new RegExp(`^[a-z]{3} (?<month>[a-z]{3}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`, "i"),
];

/**
 * A date of HTTP in milliseconds since 1970, or undefined for what is none. The day of the week is not checked.
 *
 * @param wallMs now; a year of two digits that would be more than 50 years ahead of it is in the past (RFC 9110).
 */
export function parseHttpDate(text: string, wallMs: number): number | undefined {
  for (const form of FORMS) {
    const found = form.exec(text)?.groups;
    if (found === undefined) continue;
    const month = MONTHS.indexOf(found.month!.toLowerCase());
    const ofDay = Number(found.hour) * 3_600_000 + Number(found.minute) * 60_000 + Number(found.second) * 1000;
    const at = (year: number) => {
      // Not Date.UTC: it takes the years 0 to 99 for 1900 to 1999.
      const day = new Date(0);
      day.setUTCFullYear(year, month, Number(found.day));
      return day.getUTCMonth() === month && Number(found.day) > 0 ? day.getTime() + ofDay : undefined;
    };
    const year = Number(found.year);
    return found.year!.length === 2 ? at(fullYear(year, wallMs)) : at(year);
  }
  return undefined;
}

/** The last year that ends with these two digits and is at most 50 years ahead. */
function fullYear(twoDigits: number, wallMs: number): number {
  const last = new Date(wallMs).getUTCFullYear() + 50;
  return last - ((((last - twoDigits) % 100) + 100) % 100);
}
