import { defineConfig } from "vite";

/** The live page: a handful of files that the gateway serves from memory, under whatever path it is mounted. */
export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../dist/dashboard",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    // Inlined files would need data: in the page's policy.
    assetsInlineLimit: 0,
  },
});
