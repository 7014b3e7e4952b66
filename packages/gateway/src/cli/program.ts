import { type Command as AnyCommand, Command, Option } from "commander";
import { ORDERS } from "../admin/clients.ts";
import { jsonSchema } from "../config/schema.ts";
import { ask } from "./ask.ts";
import { check } from "./check.ts";
import { CliError } from "./exit-code.ts";
import { explain, reset } from "./explain.ts";
import { init } from "./init.ts";
import { duration, hostPort, several, whole, withCommonOptions } from "./options.ts";
import { override } from "./override.ts";
import { runHttp } from "./run-http.ts";
import { runStdio } from "./run-stdio.ts";
import { DEFAULT_FILE } from "./settings.ts";
import { withSimulate } from "./simulate-command.ts";
import { keys, top } from "./top.ts";

const USAGE = `[options] -- <command of the server>
       sluice [options] --upstream <url>
       sluice <command> [options]`;

const EXAMPLES = `
Examples:
  $ sluice init -- node server.js              write sluice.yaml, with the tools of that server
  $ sluice -- node server.js                   the limits of sluice.yaml in front of it
  $ sluice --tool search=10/min -- npx -y @modelcontextprotocol/server-everything
  $ sluice --upstream http://localhost:3000/mcp --listen 8080
  $ sluice --listen 8080 -- node server.js     a server over stdio, served over HTTP
  $ sluice serve                               in front of the upstreams of sluice.yaml
  $ sluice check                               is sluice.yaml good?
  $ sluice simulate --policy new.yaml calls.jsonl
                                               what would new.yaml have refused of these?
  $ sluice explain --call '{"name":"search"}'  which limits does this call fall under?

In front of a server over stdio, without --listen, the exit code is the server's own. Otherwise 0: all went well, 1: something failed,
2: the command line or the policy file is wrong.`;

/**
 * What `sluice` does for this command line.
 *
 * @param argv without node and the script. What follows the first `--` is the server's command.
 * @returns the exit code
 * @throws CliError, ConfigError, ConfigFileError, CallTextError, CommanderError
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
    .usage(USAGE)
    .version(version)
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText("after", EXAMPLES);
  withRunOptions(withCommonOptions(program)).action((options) => {
    const [first, ...rest] = server;
    if (options.upstream !== undefined) {
      if (first !== undefined) throw new CliError('Give the server by --upstream or after "--", not by both.');
      return done(runHttp(options));
    }
    if (first !== undefined) {
      const command = [first, ...rest] as const;
      return done(options.listen === undefined ? runStdio(command, options) : runHttp({ ...options, command }));
    }
    program.outputHelp({ error: true });
    throw new CliError('Nothing to do: put the command of your server after "--", or its URL after --upstream.');
  });

  withHttpOptions(withCommonOptions(program.command("serve")))
    .description("stand in front of the upstreams of the policy file, over HTTP")
    .action((options) => done(runHttp(options)));

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

  withCall(program.command("explain"), "say which limits a call falls under, and what would become of it now").action(
    (options) => done(explain(options)),
  );

  withCall(program.command("reset"), "forget what calls like this one were charged, in a store that is shared").action(
    (options) => done(reset(options)),
  );

  withCommonOptions(program.command("override"))
    .description("give a client other rates for a while, in a store that is shared; without --client: list them")
    .option("--client <key>", "whose, as the log shows it")
    .option("--limit <name>", "which limit: the name of a policy, perClient, tools.search")
    .option("--quota <rate>", "the rate instead, unlimited or blocked; may be given several times", several)
    .option("--for <duration>", "how long (default: 1h)")
    .option("--note <text>", "why")
    .option("--remove", "take it back")
    .option("--json", "for programs")
    .action((options) => done(override(options)));

  program
    .command("ask")
    .description("ask the admin API of a running gateway: /healthz, /readyz, /api/v1/policies, …")
    .argument("<path>", "what to ask, such as /readyz")
    .addOption(new Option("--admin <host:port>", "where it listens").argParser(hostPort).env("SLUICE_ADMIN"))
    .option("--data <json>", "post this")
    .action((path, options) => done(ask(path, options)));

  withClients(
    program.command("keys"),
    "list the clients of a running gateway, and what is left of their limits",
  ).action((options) => done(keys(options)));

  withClients(program.command("top"), "show them again and again, with their calls per minute")
    .addOption(new Option("--every <duration>", "how often").argParser(duration).default(2_000, "2s"))
    .addOption(
      new Option("--count <number>", "stop after so many (default: never; 1 if this is no terminal)").argParser(whole),
    )
    .action((options) => done(top(options)));

  withSimulate(program, done);

  program
    .command("schema")
    .description("print the JSON Schema of policy files")
    .action(() => void process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`));

  await program.parseAsync(own, { from: "user" });
  return exitCode;
}

function withRunOptions(command: AnyCommand): AnyCommand {
  return withHttpOptions(
    command
      .addOption(
        new Option(
          "--client <key>",
          "over stdio: whose limits the calls fall under (default: the user on this machine)",
        ).env("SLUICE_CLIENT"),
      )
      .addOption(
        new Option("--upstream <url>", "the server behind, over HTTP: its MCP endpoint").env("SLUICE_UPSTREAM"),
      ),
  );
}

function withHttpOptions(command: AnyCommand): AnyCommand {
  return command
    .addOption(
      new Option(
        "--listen <host:port>",
        "where to listen for clients over HTTP (default: 127.0.0.1:8080); a command after -- is served there",
      )
        .argParser(hostPort)
        .env("SLUICE_LISTEN"),
    )
    .addOption(
      new Option("--drain <duration>", "how long calls may still run when the gateway is stopped")
        .argParser(duration)
        .default(10_000, "10s")
        .env("SLUICE_DRAIN"),
    )
    .addOption(
      new Option(
        "--admin <host:port>",
        "where to listen for operators: health, policies, reload (token: SLUICE_ADMIN_TOKEN)",
      )
        .argParser(hostPort)
        .env("SLUICE_ADMIN"),
    );
}

function withClients(command: AnyCommand, description: string): AnyCommand {
  return command
    .description(description)
    .addOption(new Option("--admin <host:port>", "where its admin API listens").argParser(hostPort).env("SLUICE_ADMIN"))
    .addOption(new Option("--top <number>", "how many").argParser(whole).default(20))
    .addOption(new Option("--by <order>", "most of what first").choices(ORDERS).default("calls"))
    .option("--json", "for programs");
}

function withCall(command: AnyCommand, description: string): AnyCommand {
  return withCommonOptions(command.description(description))
    .requiredOption("--call <json>", 'a request, or the name and arguments of a tool: {"name":"search"}')
    .option("--client <key>", "whose call it is, as the log shows it")
    .option("--address <address>", "where it comes from")
    .option("--json", "for programs");
}
