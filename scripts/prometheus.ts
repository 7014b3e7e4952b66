import { program } from "./program.ts";

const PROMETHEUS = {
  debian: "prometheus",
  who: "The tests of metrics",
  install: {
    "Debian, Ubuntu": "sudo apt-get install prometheus",
    "Fedora, RHEL": "sudo dnf install golang-github-prometheus",
    Alpine: "sudo apk add prometheus",
    macOS: "brew install prometheus",
    "all others": "download it from prometheus.io",
  },
};

/** The server. @throws Error that says how to install it */
export const prometheus = (): string => program({ ...PROMETHEUS, names: ["prometheus"] });

/** What checks metrics, configurations and rules. @throws Error that says how to install it */
export const promtool = (): string => program({ ...PROMETHEUS, names: ["promtool"] });

/** What vitest runs before all tests: installs it once where that can be done. Elsewhere the tests that need it fail, with the reason. */
export default function setup(): void {
  try {
    prometheus();
    promtool();
  } catch (error) {
    console.warn((error as Error).message);
  }
}
