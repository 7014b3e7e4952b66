import { Command, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "sluice";
import { jsonSchema } from "../config/schema.ts";
import { check } from "./check.ts";
import { CliError } from "./exit-code.ts";
import { explain } from "./explain.ts";
import { init } from "./init.ts";
import { runHttp } from "./run-http.ts";
import { runStdio } from "./run-stdio.ts";
import { DEFAULT_FILE } from "./settings.ts";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

const EXAMPLES = `
Examples:
  $ sluice init -- node server.js              write sluice.yaml, with the tools of that server
  $ sluice -- node server.js                   the limits of sluice.yaml in front of it
  $ sluice --tool search=10/min -- npx -y @modelcontextprotocol/server-everything
  $ sluice --upstream http://localhost:3000/mcp --listen 8080
  $ sluice check                               is sluice.yaml good?
  $ sluice explain --call '{"name":"search"}'  which limits does this call fall under?

In front of a server over stdio the exit code is the server's own. Otherwise 0: all went well, 1: something failed,
2: the command line or the policy file is wrong.`;

/**
 * What `sluice` does for this command line.
 *
 * @param argv without node and the script. What follows the first `--` is the server's command.
 * @returns the exit code
 * @throws CliError, ConfigError, ConfigFileError, CommanderError
 */
export async function run(argv: readonly string[], version: string): Promise<number> {
  const dashes = argv.indexOf("--");
  const own = dashes === -1 ? argv : argv.slice(0, dashes);
  const server = dashes === -1 ? [] : argv.slice(dashes + 1);
  if (dashes !== -1 && server.length === 0)
    throw new CliError('After "--" stands the command of your server: sluice -- node server.js.');
  let exitCode = 0;
  const done = async (code: number | Promise<number>) => {
    exitCode = await code;
  };

  const program = new Command("sluice")
    .description("Rate limits in front of any MCP server, from a policy file.")
    .usage(
      "[options] -- <command of the server>\n       sluice [options] --upstream <url>\n       sluice <command> [options]",
    )
    .version(version)
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText("after", EXAMPLES);
  common(program)
    .addOption(
      new Option("--client <key>", "whose limits the calls fall under (default: the user and this machine)").env(
        "SLUICE_CLIENT",
      ),
    )
    .addOption(new Option("--upstream <url>", "the server behind, over HTTP: its MCP endpoint").env("SLUICE_UPSTREAM"))
    .addOption(
      new Option("--listen <host:port>", "where to listen for clients, with --upstream")
        .argParser(address)
        .default({ host: "127.0.0.1", port: 8080 }, "127.0.0.1:8080")
        .env("SLUICE_LISTEN"),
    )
    .addOption(
      new Option("--drain <duration>", "how long calls may still run when the gateway is stopped")
        .argParser(duration)
        .default(10_000, "10s")
        .env("SLUICE_DRAIN"),
    )
    .action((options) => {
      const [first, ...rest] = server;
      if (options.upstream !== undefined) {
        if (first !== undefined) throw new CliError('Give the server by --upstream or after "--", not by both.');
        return done(runHttp(options));
      }
      if (first === undefined) {
        program.outputHelp({ error: true });
        throw new CliError('Nothing to do: put the command of your server after "--", or its URL after --upstream.');
      }
      return done(runStdio([first, ...rest], options));
    });

  program
    .command("init")
    .description("write a policy file to begin with, with the tools of a server if one is given after --")
    .option("-c, --config <file>", "where to write it", DEFAULT_FILE)
    .option("--upstream <url>", "ask this server over HTTP for its tools")
    .option("--force", "write over a file that is there")
    .action(({ config, upstream, force }) => {
      const at = upstream === undefined ? (server.length > 0 ? { command: server } : undefined) : { url: upstream };
      return done(init(config, { server: at, force }));
    });

  program
    .command("check")
    .description("say what is wrong with a policy file")
    .argument("[file]", "the policy file", DEFAULT_FILE)
    .option("--json", "for programs")
    .action((file, options) => done(check(file, options)));

  common(program.command("explain").description("say which limits a call falls under, and what would become of it now"))
    .requiredOption("--call <json>", 'a request, or the name and arguments of a tool: {"name":"search"}')
    .option("--client <key>", "whose call it is")
    .option("--address <address>", "where it comes from")
    .option("--json", "for programs")
    .action((options) => done(explain({ ...options, logLevel: "error" })));

  program
    .command("schema")
    .description("print the JSON Schema of policy files")
    .action(() => void process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`));

  await program.parseAsync(own, { from: "user" });
  return exitCode;
}

function common(command: Command): Command {
  return command
    .addOption(
      new Option("-c, --config <file>", `the policy file (default: ${DEFAULT_FILE}, if it is there)`).env(
        "SLUICE_CONFIG",
      ),
    )
    .addOption(
      new Option("--store <store>", "memory, sqlite:PATH or redis://HOST:PORT, whatever the file says").env(
        "SLUICE_STORE",
      ),
    )
    .option("--per-client <rate>", "instead of a file: all requests of a client, such as 60/min")
    .option(
      "--tool <name=rate>",
      "instead of a file: calls of one tool, such as search=10/min; may be given several times",
      several,
      [],
    )
    .option("--shadow", "refuse nothing, only log what would have been refused")
    .addOption(
      new Option("--log-level <level>", "how much to log, on stderr")
        .choices(LEVELS)
        .default("info")
        .env("SLUICE_LOG_LEVEL"),
    )
    .addOption(new Option("--log-file <file>", "log to this file instead").env("SLUICE_LOG_FILE"));
}

const several = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** `8080`, `0.0.0.0:8080`, `[::1]:8080`. */
function address(text: string): { readonly host: string; readonly port: number } {
  const [, host = "127.0.0.1", digits] = /^(?:(\[[^\]]+\]|[^:]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits !== undefined && port <= 65_535) return { host: host.replace(/^\[|\]$/g, ""), port };
  throw new InvalidArgumentError(`It is PORT or HOST:PORT, but it is ${JSON.stringify(text)}.`);
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError(`It is a duration such as 10s, but it is ${JSON.stringify(text)}.`);
}
