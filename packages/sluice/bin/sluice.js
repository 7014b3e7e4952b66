#!/usr/bin/env node
// The program is a package of its own, sluice-gateway, because it has dependencies and the library has none. Where it is
// not installed, npx gets it, in the version of this library.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const args = process.argv.slice(2);
const installed = installedGateway();
if (installed !== undefined) await import(installed);
else {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const npx = process.platform === "win32" ? "npx.cmd" : "npx";
  const child = spawn(npx, ["--yes", `sluice-gateway@${version}`, ...args], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`npx could not be started (${error.message}). Install the program: npm install sluice-gateway`);
    process.exit(1);
  });
  child.on("exit", (code) => process.exit(code ?? 1));
}

/** From the folder where it is called, or beside this package. */
function installedGateway() {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      const file = createRequire(from).resolve("sluice-gateway/package.json");
      const { bin } = JSON.parse(readFileSync(file, "utf8"));
      return pathToFileURL(join(dirname(file), bin["sluice-gateway"])).href;
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}
