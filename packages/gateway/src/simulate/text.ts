import { formatDuration } from "sluice";
import { aligned } from "../cli/aligned.ts";
import type { Report, ReportedClient } from "./report.ts";
import type { Counts } from "./tally.ts";

const WIDEST = 40;
const MOST_ROWS = 12;

/** A report for a terminal. */
export function reportText(report: Report): string {
  const { figures, from, to } = report;
  if (from === undefined || to === undefined)
    return `The log has no calls.\n${badLinesText(report)}${notesText(report)}`;
  const span = formatDuration(Math.max(1000, Math.round((Date.parse(to) - Date.parse(from)) / 1000) * 1000));
  return [
    `${counted(figures.calls)} calls of ${counted(figures.clients)} clients in ${span}, from ${from} to ${to}\n`,
    `${report.policy}, compared with ${report.comparedWith}\n\n`,
    summaryText(report),
    clientsText(report),
    countsText("TIER", report.tiers.length > 1 ? report.tiers.map(({ tier, ...row }) => [tier, row]) : []),
    countsText(
      "TOOL",
      report.tools.slice(0, MOST_ROWS).map(({ tool, ...row }) => [tool, row]),
    ),
    limitsText("LIMIT", report.limits),
    limitsText("LIMIT ON TRIAL", report.trials),
    suggestionsText(report),
    badLinesText(report),
    notesText(report),
  ].join("");
}

function summaryText({ figures, behaviour }: Report): string {
  const { calls, refused, was_refused, newly_refused, newly_allowed, refused_clients, clients, waited } = figures;
  const lines = [
    [
      "refused",
      `${counted(was_refused)} → ${counted(refused)}`,
      `${percent(was_refused, calls)} → ${percent(refused, calls)}`,
    ],
    ["newly refused", counted(newly_refused), `of ${counted(figures.newly_refused_clients)} clients`],
    ["newly allowed", counted(newly_allowed), ""],
    ["clients refused", counted(refused_clients), percent(refused_clients, clients)],
  ];
  if (refused > 0) lines.push(["longest wait told", formatDuration(roughly(figures.longest_block_ms)), ""]);
  if (figures.on_trial > 0)
    lines.push(["refused on trial", counted(figures.on_trial), percent(figures.on_trial, calls)]);
  if (waited > 0) {
    const p95 = formatDuration(roughly(figures.wait_p95_ms));
    const title = behaviour === "open" ? "stood in line" : "passed later";
    lines.push([title, counted(waited), `p50 ${formatDuration(roughly(figures.wait_p50_ms))}, p95 ${p95}`]);
  }
  return `${aligned(["", "CALLS", ""], lines)}\n`;
}

function clientsText({ clients }: Report): string {
  if (clients.length === 0) return "";
  const rows = clients.map((row) => [
    short(row.client),
    short(row.tier ?? ""),
    counted(row.calls),
    `${counted(row.wasRefused)} → ${counted(row.refused)}`,
    changeText(row),
    row.firstAt?.slice(0, 19) ?? "",
    row.refused === 0 ? "" : formatDuration(roughly(row.limitedMs)),
    row.refused === 0 ? "" : formatDuration(roughly(row.longestMs)),
    mostly(row),
  ]);
  const head = ["CLIENT", "TIER", "CALLS", "REFUSED", "CHANGE", "FIRST REFUSED", "LIMITED FOR", "LONGEST", "MOSTLY BY"];
  return `${aligned(head, rows)}\n`;
}

const mostly = ({ limits }: ReportedClient): string =>
  Object.entries(limits).sort(([, a], [, b]) => b - a)[0]?.[0] ?? "";

function changeText({ newlyRefused, newlyAllowed }: Counts): string {
  return [newlyRefused > 0 ? `+${counted(newlyRefused)}` : "", newlyAllowed > 0 ? `-${counted(newlyAllowed)}` : ""]
    .filter((text) => text !== "")
    .join(" ");
}

function countsText(title: string, rows: readonly (readonly [string, Counts])[]): string {
  if (rows.length === 0) return "";
  const body = rows.map(([name, row]) => [
    short(name),
    counted(row.calls),
    `${counted(row.wasRefused)} → ${counted(row.refused)}`,
    percent(row.refused, row.calls),
    changeText(row),
  ]);
  return `${aligned([title, "CALLS", "REFUSED", "", "CHANGE"], body)}\n`;
}

function limitsText(title: string, limits: Report["limits"]): string {
  if (limits.length === 0) return "";
  const rows = limits
    .slice(0, MOST_ROWS)
    .map(({ limit, refused, longestMs, firstAt }) => [
      limit,
      counted(refused),
      firstAt.slice(0, 19),
      formatDuration(roughly(longestMs)),
    ]);
  return `${aligned([title, "REFUSED", "FIRST", "LONGEST"], rows)}\n`;
}

function suggestionsText({ suggestions }: Report): string {
  if (suggestions === undefined) return "";
  if (suggestions.length === 0) return "No limit of the policy file was met, so there is nothing to suggest.\n\n";
  const rows = suggestions.map(({ limit, tier, now, smallest, refused, calls, oneLess }) => [
    limit,
    short(tier ?? "all"),
    now,
    smallest ?? "none found",
    counted(calls),
    smallest === undefined ? "" : `${counted(refused)} (${percent(refused, calls)})`,
    oneLess === undefined ? "" : `${counted(oneLess)} (${percent(oneLess, calls)})`,
  ]);
  return `${aligned(["LIMIT", "TIER", "IS", "SMALLEST", "CALLS", "REFUSES", "ONE LESS"], rows)}\n`;
}

function badLinesText({ badLines, figures }: Report): string {
  if (badLines.length === 0) return "";
  const more = figures.bad_lines - badLines.length;
  return `${badLines.map(({ file, line, why }) => `${file}:${line}: ${printable(why)}\n`).join("")}${more > 0 ? `… and ${counted(more)} more\n` : ""}\n`;
}

const notesText = ({ notes }: Report): string => notes.map((note) => `- ${note}\n`).join("");

export const counted = (count: number): string => count.toLocaleString("en-US");

export const percent = (part: number, whole: number): string => {
  if (whole === 0) return "";
  const value = (part / whole) * 100;
  return `${value === 0 || value >= 0.01 ? value.toLocaleString("en-US", { maximumFractionDigits: 2 }) : "< 0.01"} %`;
};

/** Nobody reads milliseconds of minutes. */
export const roughly = (ms: number): number => (ms < 10_000 ? Math.ceil(ms) : Math.round(ms / 1000) * 1000);

/** Names are chosen by clients: they must not say anything to the terminal. */
const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\ufffd");

const short = (text: string): string => printable(text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text);
