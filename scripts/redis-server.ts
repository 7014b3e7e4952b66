import { program } from "./program.ts";

/** The program that the tests of `sluice/redis` run. @throws Error that says how to install one */
export const redisServer = (): string =>
  program({
    names: ["redis-server", "valkey-server"],
    debian: "redis-server",
    who: "The tests of sluice/redis",
    install: {
      "Debian, Ubuntu": "sudo apt-get install redis-server",
      "Fedora, RHEL": "sudo dnf install valkey",
      Alpine: "sudo apk add redis",
      macOS: "brew install redis",
    },
  });

/** What vitest runs before all tests: a missing server fails them at once, with the reason. */
export default function setup(): void {
  redisServer();
}
