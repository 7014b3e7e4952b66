/** Text that is markup already. */
export interface Markup {
  readonly markup: string;
}

type Part = Markup | string | number | undefined | readonly Part[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function textOf(part: Part): string {
  if (part === undefined) return "";
  if (Array.isArray(part)) return part.map(textOf).join("");
  if (typeof part === "object") return (part as Markup).markup;
  return String(part).replace(/[&<>"']/g, (one) => ENTITIES[one]!);
}

/** HTML or SVG, in which everything that is put in is text unless it was made here, too. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { markup: texts.map((text, i) => (i === 0 ? text : textOf(parts[i - 1]) + text)).join("") };
}
