import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export interface Program {
  /** What it may be called. */
  readonly names: readonly string[];
  /** Files that are looked for where none of them is on the PATH. @default none */
  readonly elsewhere?: readonly string[];
  /** The package of Debian and Ubuntu that has it. */
  readonly debian: string;
  /** Who needs it: `The tests of sluice/redis`. */
  readonly who: string;
  /** How people install it: the system, and the command. */
  readonly install: Readonly<Record<string, string>>;
}

/**
 * The path of a program that tests run. A Debian or Ubuntu machine whose root runs this (a container of CI) gets it installed.
 *
 * @throws Error that says how to install it
 */
export function program({ names, elsewhere = [], debian, who, install }: Program): string {
  const find = () => onPath(names) ?? elsewhere.find(canRun);
  const found = find() ?? (canInstall() && installed(debian, who) ? find() : undefined);
  if (found !== undefined) return found;
  const width = Math.max(...Object.keys(install).map((system) => system.length)) + 2;
  const how = Object.entries(install).map(([system, command]) => `  ${`${system}:`.padEnd(width)} ${command}`);
  const what = names.join(" or ");
  throw new Error(`${who} need ${what} on the PATH, and there is none. Install one:\n${how.join("\n")}`);
}

function onPath(names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(canRun);
}

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function canInstall(): boolean {
  return process.platform === "linux" && process.getuid?.() === 0 && run("apt-get", "--version");
}

function installed(name: string, who: string): boolean {
  console.log(`Installing ${name} for ${who.charAt(0).toLowerCase()}${who.slice(1)} …`);
  const asRoot = ["install", "-y", "-q", "--no-install-recommends", name];
  return run("apt-get", ...asRoot) || (run("apt-get", "update", "-q") && run("apt-get", ...asRoot));
}

function run(command: string, ...args: readonly string[]): boolean {
  // Without services: only the programs are wanted.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  return spawnSync(command, args, { env, stdio: "ignore" }).status === 0;
}
