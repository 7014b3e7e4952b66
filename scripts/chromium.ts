import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];
const ELSEWHERE = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** How tests start it: by itself, with nothing that talks to anybody. */
export const CHROMIUM_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * The browser that the tests of the live page run: what CHROMIUM names, or Chromium or Chrome from where they usually are. A Debian or Ubuntu machine
 * whose root runs this (a container of CI) gets one installed.
 *
 * @throws Error that says how to install one
 */
export function chromium(): string {
  const { CHROMIUM } = process.env;
  if (CHROMIUM) return CHROMIUM;
  const found = installed() ?? (canInstall() && install() ? installed() : undefined);
  if (found !== undefined) return found;
  throw new Error(
    `The tests of the live page need Chromium or Chrome, and there is none. Install one, or say where it is in CHROMIUM:
  Debian:        sudo apt-get install chromium
  Ubuntu:        sudo snap install chromium
  Fedora:        sudo dnf install chromium
  Alpine:        sudo apk add chromium
  macOS:         brew install --cask chromium`,
  );
}

function installed(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...NAMES.flatMap((name) => folders.map((folder) => join(folder, name))), ...ELSEWHERE].find(canRun);
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
  console.log("Installing chromium for the tests of the live page …");
  const asRoot = ["install", "-y", "-q", "--no-install-recommends", "chromium"];
  return run("apt-get", ...asRoot) || (run("apt-get", "update", "-q") && run("apt-get", ...asRoot));
}

function run(command: string, ...args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(command, args, { env, stdio: "ignore" }).status === 0;
}
