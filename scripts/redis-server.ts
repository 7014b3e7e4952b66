import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["redis-server", "valkey-server"];

/**
 * The program that the tests of `sluice/redis` run: redis-server or valkey-server, from the PATH. A Debian or
 * Ubuntu machine whose root runs this (a container of CI) gets one installed.
 *
 * @throws Error that says how to install one
 */
export function redisServer(): string {
  const found = onPath() ?? (canInstall() && install() ? onPath() : undefined);
  if (found !== undefined) return found;
  throw new Error(
    `The tests of sluice/redis need ${NAMES.join(" or ")} on the PATH, and there is none. Install one:
  Debian, Ubuntu:  sudo apt-get install redis-server
  Fedora, RHEL:    sudo dnf install valkey
  Alpine:          sudo apk add redis
  macOS:           brew install redis`,
  );
}

/** What vitest runs before all tests: a missing server fails them at once, with the reason. */
export default function setup(): void {
  redisServer();
}

function onPath(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(canRun);
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

function install(): boolean {
  console.log("Installing redis-server for the tests of sluice/redis …");
  const asRoot = ["install", "-y", "-q", "--no-install-recommends", "redis-server"];
  return run("apt-get", ...asRoot) || (run("apt-get", "update", "-q") && run("apt-get", ...asRoot));
}

function run(command: string, ...args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  return spawnSync(command, args, { env, stdio: "ignore" }).status === 0;
}
