import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

/** `sluice/...` in tests and examples is the source itself: what is tested is what stands here, not the last build. */
const { exports } = JSON.parse(readFileSync("packages/sluice/package.json", "utf8"));
const alias = Object.entries<string>(exports)
  .filter(([, file]) => file.endsWith(".js"))
  .map(([entry, file]) => ({
    find: new RegExp(`^sluice${entry.slice(1)}$`),
    replacement: `${import.meta.dirname}/packages/sluice/${file.replace("./dist", "src").replace(/\.js$/, ".ts")}`,
  }));

export default defineConfig({
  resolve: { alias },
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/*/test/**/*.test.ts"],
    globalSetup: ["scripts/redis-server.ts", "scripts/prometheus.ts"],
    testTimeout: 30_000,
  },
});
