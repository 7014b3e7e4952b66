import { formatDuration } from "sluice";
import type { Report } from "../report.ts";
import { counted, percent, roughly } from "../text.ts";
import { html, type Markup } from "./markup.ts";
import { STYLE } from "./style.ts";
import { badLinesTable, clientsTable, countsTable, limitsTable, suggestionsTable } from "./tables.ts";
import { timelineChart } from "./timeline-chart.ts";

const MOST_TOOLS = 30;

/** The report as one file: no script, nothing from anywhere else, light and dark. */
export function reportHtml(report: Report): string {
  const { policy, comparedWith, logs, from, to, tiers, tools } = report;
  const span = from === undefined || to === undefined ? "no calls" : `${time(from)} to ${time(to)} UTC`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${policy} on ${logs.join(", ")}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${policy}, compared with ${comparedWith}</h1><p>${logs.join(", ")}: ${span}</p></header>
<main>
${tiles(report)}
${timelineChart(report)}
${clientsTable(report)}
${limitsTable("By what", report.limits)}
${limitsTable("Limits on trial would have refused", report.trials)}
${countsTable("By tier", "Tier", tiers.length > 1 ? tiers.map(({ tier, ...row }) => [tier, row] as const) : [])}
${countsTable(
  "By tool",
  "Tool",
  tools.slice(0, MOST_TOOLS).map(({ tool, ...row }) => [tool, row] as const),
)}
${suggestionsTable(report)}
${badLinesTable(report)}
<section><h2>To be read with it</h2><ul>${report.notes.map((note) => html`<li>${note}</li>`)}</ul></section>
</main>
</body>
</html>
`;
  return page.markup;
}

const time = (iso: string): string => iso.slice(0, 19).replace("T", " ");

function tiles({ figures: f }: Report): Markup {
  const all: (readonly [string, string, string])[] = [
    ["calls", counted(f.calls), `of ${counted(f.clients)} clients`],
    ["refused", counted(f.refused), `${percent(f.refused, f.calls)}, was ${percent(f.was_refused, f.calls)}`],
    ["newly refused", counted(f.newly_refused), `of ${counted(f.newly_refused_clients)} clients`],
    ["newly allowed", counted(f.newly_allowed), ""],
    ["clients refused", counted(f.refused_clients), percent(f.refused_clients, f.clients)],
  ];
  if (f.longest_block_ms > 0) all.push(["longest wait told", formatDuration(roughly(f.longest_block_ms)), ""]);
  if (f.waited > 0) {
    all.push([
      "passed later",
      counted(f.waited),
      `half within ${formatDuration(roughly(f.wait_p50_ms))}, 95 % within ${formatDuration(roughly(f.wait_p95_ms))}`,
    ]);
  }
  if (f.on_trial > 0) all.push(["refused on trial", counted(f.on_trial), percent(f.on_trial, f.calls)]);
  return html`<dl class="tiles">${all.map(([title, figure, note]) => html`<div><dt>${title}</dt><dd><b>${figure}</b> <small>${note}</small></dd></div>`)}</dl>`;
}
