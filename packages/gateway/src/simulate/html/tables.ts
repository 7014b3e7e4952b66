import { formatDuration } from "sluice";
import type { Report } from "../report.ts";
import type { Counts } from "../tally.ts";
import { counted, percent, roughly } from "../text.ts";
import { html, type Markup } from "./markup.ts";

/** A column of a table: its head, and whether it has numbers. */
type Column = readonly [head: string, isNumber?: boolean];
type Cell = Markup | string;

function table(title: string, columns: readonly Column[], rows: readonly (readonly Cell[])[], note = ""): Markup {
  if (rows.length === 0) return html``;
  const head = columns.map(
    ([name, isNumber]) => html`<th scope="col"${isNumber ? html` class="number"` : ""}>${name}</th>`,
  );
  const body = rows.map(
    (cells) =>
      html`<tr>${cells.map((cell, i) => html`<td${columns[i]![1] ? html` class="number"` : ""}>${cell}</td>`)}</tr>`,
  );
  return html`<section><h2>${title}</h2>${note === "" ? "" : html`<p>${note}</p>`}<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div></section>`;
}

const change = (was: number, now: number): string => (was === now ? counted(now) : `${counted(was)} → ${counted(now)}`);

function difference({ newlyRefused, newlyAllowed }: Counts): Markup {
  return html`${newlyRefused > 0 ? html`<span class="worse">+${counted(newlyRefused)}</span> ` : ""}${newlyAllowed > 0 ? html`<span class="better">−${counted(newlyAllowed)}</span>` : ""}`;
}

/** How many of the calls are refused, as a bar. */
function share({ refused, calls }: Counts): Markup {
  const width = calls === 0 ? 0 : Math.round((refused / calls) * 1000) / 10;
  return html`<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="passed" width="100" height="8"/><rect class="refused" width="${width}" height="8"/></svg>`;
}

const time = (iso: string | undefined): string => (iso === undefined ? "" : iso.slice(0, 19).replace("T", " "));
const duration = (ms: number): string => (ms <= 0 ? "" : formatDuration(roughly(ms)));

export function clientsTable({ clients, comparedWith }: Report): Markup {
  return table(
    "Who",
    [
      ["Client"],
      ["Tier"],
      ["Calls", true],
      ["Refused", true],
      ["Change", true],
      ["First (UTC)"],
      ["Last (UTC)"],
      ["Limited for", true],
      ["Longest", true],
      ["By"],
    ],
    clients.map((row) => [
      html`<code>${row.client}</code>`,
      row.tier ?? "",
      counted(row.calls),
      change(row.wasRefused, row.refused),
      difference(row),
      time(row.firstAt),
      time(row.lastAt),
      duration(row.limitedMs),
      duration(row.longestMs),
      Object.entries(row.limits)
        .sort(([, a], [, b]) => b - a)
        .map(([limit, count]) => `${limit} (${counted(count)})`)
        .join(", "),
    ]),
    `Clients with the most changes against ${comparedWith}, then those with the most refusals. Limited for: how long in all a call would have been refused again.`,
  );
}

export function countsTable(title: string, head: string, rows: readonly (readonly [string, Counts])[]): Markup {
  return table(
    title,
    [[head], ["Calls", true], ["Refused", true], ["", true], [""], ["Change", true]],
    rows.map(([name, row]) => [
      name,
      counted(row.calls),
      change(row.wasRefused, row.refused),
      percent(row.refused, row.calls),
      share(row),
      difference(row),
    ]),
  );
}

export function limitsTable(title: string, limits: Report["limits"]): Markup {
  return table(
    title,
    [["Limit"], ["Refused", true], ["First (UTC)"], ["Last (UTC)"], ["Longest", true]],
    limits.map(({ limit, refused, firstAt, lastAt, longestMs }) => [
      limit,
      counted(refused),
      time(firstAt),
      time(lastAt),
      duration(longestMs),
    ]),
  );
}

export function suggestionsTable({ suggestions = [] }: Report): Markup {
  return table(
    "Smallest limits",
    [["Limit"], ["Tier"], ["Is"], ["Smallest"], ["Calls", true], ["Refuses", true], ["One unit less", true]],
    suggestions.map(({ limit, tier, now, smallest, calls, refused, oneLess }) => [
      limit,
      tier ?? "all",
      html`<code>${now}</code>`,
      smallest === undefined ? "none found" : html`<code>${smallest}</code>`,
      counted(calls),
      smallest === undefined ? "" : `${counted(refused)} (${percent(refused, calls)})`,
      oneLess === undefined ? "" : `${counted(oneLess)} (${percent(oneLess, calls)})`,
    ]),
    "Each limit was tried by itself, with the same engine on the whole log. Together they refuse somewhat more.",
  );
}

export function badLinesTable({ badLines, figures }: Report): Markup {
  const more = figures.bad_lines - badLines.length;
  return table(
    "Lines that are no calls",
    [["Line"], ["Why"]],
    badLines.map(({ file, line, why }) => [`${file}:${line}`, why]),
    more > 0 ? `The first of ${counted(figures.bad_lines)}.` : "",
  );
}
