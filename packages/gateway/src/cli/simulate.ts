import { writeFileSync } from "node:fs";
import { loadConfig } from "../config/policies.ts";
import type { Behaviour } from "../simulate/crowd.ts";
import { type Condition, ConditionError, parseCondition } from "../simulate/fail-if.ts";
import { reportHtml } from "../simulate/html/report-html.ts";
import { neededValues } from "../simulate/needed-values.ts";
import type { Format } from "../simulate/readers/formats.ts";
import { MappingError, parseMapping } from "../simulate/readers/mapping.ts";
import { parseOnly } from "../simulate/readers/only.ts";
import { type Log, readLog } from "../simulate/readers/read-log.ts";
import { replay } from "../simulate/replay.ts";
import { type Report, reportOf } from "../simulate/report.ts";
import { type Suggestion, suggest } from "../simulate/suggest.ts";
import { NO_TIER, type Tally } from "../simulate/tally.ts";
import { reportText } from "../simulate/text.ts";
import { CliError, ExitCode } from "./exit-code.ts";

export interface SimulateOptions {
  readonly policy: string;
  readonly against?: string;
  readonly format?: Format;
  readonly map?: readonly string[];
  readonly pattern?: string;
  readonly only?: readonly string[];
  readonly reorder?: number;
  readonly clients: Behaviour;
  readonly patience: number;
  readonly enforce?: boolean;
  readonly top: number;
  readonly json?: boolean;
  readonly html?: string;
  readonly failIf?: readonly string[];
  /** In percent; `true`: 1. */
  readonly suggest?: number | true;
}

/** `sluice simulate`: what a policy file would have done with the calls of a log. */
export async function simulate(logs: readonly string[], options: SimulateOptions): Promise<number> {
  const { policy, against, clients: behaviour, patience: patienceMs, enforce, top, json, html } = options;
  const conditions = (options.failIf ?? []).map((text) => ({ text, holds: conditionOf(text) }));
  const mapping = inWords(() => parseMapping(options.map ?? []));
  const only = inWords(() => parseOnly(options.only ?? []));
  const pattern = patternOf(options);
  if (options.suggest !== undefined && logs.includes("-")) {
    throw new CliError("--suggest reads the log several times: it has to be a file.");
  }
  const candidate = loadConfig(policy, process.env);
  const other = against === undefined ? undefined : loadConfig(against, process.env);
  const read = (): Log => readLog(logs, { format: options.format, mapping, pattern, only, reorderMs: options.reorder });
  const log = read();
  const replayed = await replay(log.batches, {
    candidate,
    against: other,
    behaviour,
    patienceMs,
    enforce: enforce === true,
  });
  let suggestions: readonly Suggestion[] | undefined;
  if (options.suggest !== undefined) {
    const part = (options.suggest === true ? 1 : options.suggest) / 100;
    const tiers = tiersOf(replayed.tally, Object.values(candidate.tier?.clients ?? {}));
    suggestions = await suggest({ config: candidate, tiers, part, read: () => read().batches });
  }
  const report = reportOf({
    replayed,
    stats: log.stats,
    logs,
    policy,
    against,
    behaviour,
    top,
    needed: neededValues(candidate),
    suggestions,
  });
  if (html !== undefined) writeHtml(html, report);
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : reportText(report));
  const failed = conditions.filter(({ holds }) => holds(report));
  for (const { text } of failed) process.stderr.write(`--fail-if: ${text}\n`);
  if (failed.length > 0) return ExitCode.condition;
  return report.from === undefined ? ExitCode.failed : ExitCode.ok;
}

/** Those with most calls first. */
function tiersOf({ tiers }: Tally, ofTable: readonly string[]): readonly string[] {
  const logged = [...tiers].sort(([, a], [, b]) => b.calls - a.calls).map(([tier]) => tier);
  return [...new Set([...logged, ...(logged.includes(NO_TIER) ? ofTable : [])])];
}

function writeHtml(file: string, report: Report): void {
  try {
    writeFileSync(file, reportHtml(report));
  } catch (cause) {
    throw new CliError(`The report ${file} cannot be written: ${(cause as Error).message}.`, ExitCode.failed, {
      cause,
    });
  }
}

function conditionOf(text: string): Condition {
  return inWords(() => parseCondition(text));
}

function patternOf({ format, pattern }: SimulateOptions): RegExp | undefined {
  if ((format === "text") !== (pattern !== undefined)) {
    throw new CliError(
      "--format text needs a --pattern, and nothing else has one: a regular expression with named groups.",
    );
  }
  try {
    return pattern === undefined ? undefined : new RegExp(pattern);
  } catch (cause) {
    throw new CliError(`--pattern: ${(cause as Error).message}.`, ExitCode.usage, { cause });
  }
}

function inWords<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof ConditionError || cause instanceof MappingError) {
      throw new CliError(cause.message, ExitCode.usage, { cause });
    }
    throw cause;
  }
}
