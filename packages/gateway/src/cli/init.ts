import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { jsonSchema } from "../config/schema.ts";
import { starterFile } from "../config/starter.ts";
import { askTools, type ServerAt } from "./ask-tools.ts";
import { CliError, ExitCode } from "./exit-code.ts";

export interface InitOptions {
  readonly server?: ServerAt | undefined;
  readonly force?: boolean;
}

const SCHEMA_FILE = "sluice.schema.json";

/** `sluice init`: writes a policy file to begin with, and beside it the schema that editors complete by. */
export async function init(file: string, { server, force = false }: InitOptions): Promise<number> {
  if (existsSync(file) && !force) throw new CliError(`${file} is there already. --force writes over it.`);
  const tools = server === undefined ? [] : await askTools(server);
  writeFileSync(file, starterFile(tools), { flag: force ? "w" : "wx" });
  const schema = join(dirname(file), SCHEMA_FILE);
  writeFileSync(schema, `${JSON.stringify(jsonSchema(), null, 2)}\n`);
  const found = server === undefined ? "limits that fit any server" : `${tools.length} tools of the server`;
  process.stdout.write(`Wrote ${file} (${found}) and ${schema}, by which editors complete it.\n`);
  process.stdout.write(`Next: sluice -- <command of your server>\n`);
  return ExitCode.ok;
}
