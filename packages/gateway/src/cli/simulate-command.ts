import { type Command, InvalidArgumentError, Option } from "commander";
import { BEHAVIOURS } from "../simulate/crowd.ts";
import { FORMATS } from "../simulate/readers/formats.ts";
import { duration, several, whole } from "./options.ts";
import { DEFAULT_FILE } from "./settings.ts";
import { simulate } from "./simulate.ts";

const EXAMPLES = `
Examples:
  $ sluice simulate --policy new.yaml --against sluice.yaml calls.jsonl
  $ sluice simulate --policy new.yaml --fail-if 'newly_refused > 0.1%' calls.jsonl
  $ sluice simulate --policy new.yaml --map 'client=user.id,tool=rpc.tool' gateway.jsonl.gz
  $ sluice simulate --suggest 1 --html report.html calls.jsonl

A log is what --record writes, lines of JSON, an access log of nginx (combined), CSV, or text with a --pattern; packed with gzip, or - for
standard input. Exit codes: 0, 1: something failed or there are no calls, 2: the command line or a file is wrong, 3: a --fail-if holds.`;

/** Adds `sluice simulate`. */
export function withSimulate(program: Command, done: (code: Promise<number>) => Promise<void>): void {
  program
    .command("simulate")
    .description("say what a policy file would have done with the calls of a log")
    .argument("<log...>", "the log, or several in the order of their times")
    .option("-p, --policy <file>", "the policy file that is tried", DEFAULT_FILE)
    .option(
      "--against <file>",
      "the policy file that it is compared with (default: what the log says became of the calls)",
    )
    .addOption(new Option("--format <format>", "what kind of log it is (default: what it looks like)").choices(FORMATS))
    .option("--map <field=name>", "where fields stand: time=ts,client=user.id,tool='search',duration=took:s", several)
    .option(
      "--only <name=pattern>",
      "only these lines are calls: request_method=POST, path=/mcp*; all must hold",
      several,
    )
    .option("--pattern <regexp>", "of --format text: a group named as each field, such as (?<client>\\S+)")
    .addOption(
      new Option("--reorder <duration>", "how far back a call may stand in the log (default: 10s)").argParser(duration),
    )
    .addOption(
      new Option("--clients <behaviour>", "what refused clients do: go on, wait as they are told, try again")
        .choices(BEHAVIOURS)
        .default("open"),
    )
    .addOption(
      new Option("--patience <duration>", "with --clients wait: a call that would wait longer is given up")
        .argParser(duration)
        .default(60_000, "1min"),
    )
    .option("--enforce", "limits in shadow mode are in force")
    .addOption(new Option("--top <number>", "clients in the report").argParser(whole).default(10))
    .option("--json", "for programs")
    .option("--html <file>", "write a report with charts, too: one file, which needs nothing else")
    .option(
      "--fail-if <condition>",
      "end with code 3 if it holds: refused > 1%, newly_refused[tier=pro] > 0; may be given several times",
      several,
    )
    .addOption(
      new Option(
        "--suggest [percent]",
        "the smallest limits that refuse at most so many percent of the calls (default: 1)",
      ).argParser(percentage),
    )
    .addHelpText("after", EXAMPLES)
    .action((logs, options) => done(simulate(logs, options)));
}

/** `0.5`, `1%` */
function percentage(text: string): number {
  const number = Number(text.replace(/%$/, ""));
  if (text !== "" && number >= 0 && number < 100) return number;
  throw new InvalidArgumentError(
    `It is a percentage such as 1 or 0.5, in front of the log, but it is ${JSON.stringify(text)}.`,
  );
}
