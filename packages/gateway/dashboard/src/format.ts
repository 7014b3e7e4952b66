/** Numbers and times for people. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value: number): string => (value < 100_000 ? whole.format(value) : compact.format(value));
export const decimal = (value: number): string => (value < 100 ? short.format(value) : count(value));

/** `12.3 %`: never 0 % of something, and never 100 % of not quite all. */
export function percent(part: number, whole_: number): string {
  if (whole_ === 0) return "–";
  const value = (100 * part) / whole_;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  if (value < 100 && value > 99.9) return "> 99.9 %";
  return `${short.format(value)} %`;
}

const UNITS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
] as const;

/** `2 min 5 s`: the two largest units. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "never";
  const seconds = Math.max(0, Math.ceil(ms / 1000)) * 1000;
  const at = UNITS.findIndex(([size]) => seconds >= size);
  if (at === -1) return "0 s";
  const [size, name] = UNITS[at]!;
  const [lower, lowerName] = UNITS[at + 1] ?? [1, ""];
  const rest = Math.floor((seconds % size) / lower);
  const head = `${Math.floor(seconds / size)} ${name}`;
  return lowerName === "" || rest === 0 ? head : `${head} ${rest} ${lowerName}`;
}

/** When a call that was refused may come again. Infinity is null in JSON. */
export const again = (ms: number | null): string =>
  ms === null || !Number.isFinite(ms) ? "never enough" : `again in ${duration(ms)}`;

export const clock = (ms: number): string =>
  new Date(ms).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** What a client is, and its name: keys have each part's length in front. */
export function clientName(key: string): { readonly kind: string; readonly name: string } {
  const [, kind = "", rest = ""] = /^(principal|address):(.*)$/s.exec(key) ?? [];
  if (kind === "") return { kind: "connection", name: key };
  const parts = partsOf(rest).filter((part) => part !== "");
  const [first = "", ...others] = parts;
  const [, via, name] = /^(key|header):(.*)$/s.exec(first) ?? [];
  if (via !== undefined && others.length === 0)
    return { kind: via === "key" ? "API key" : "trusted header", name: name! };
  return { kind: kind === "address" ? "address" : "token", name: parts.join(" · ") };
}

function partsOf(text: string): readonly string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const [whole_, length] = /^(\d+):/.exec(text.slice(at)) ?? [];
    if (whole_ === undefined) return [...parts, text.slice(at)];
    const from = at + whole_.length;
    parts.push(text.slice(from, from + Number(length)));
    at = from + Number(length) + 1;
  }
  return parts;
}
