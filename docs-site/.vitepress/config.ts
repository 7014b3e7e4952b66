import { slug } from "github-slugger";
import { defineConfig } from "vitepress";
import { pageOf } from "./paths.ts";
import { subjects } from "./sidebar.ts";
import { linksOfSite, writeSourceFiles } from "./source-files.ts";

const linkOf = (file: string): string =>
  `/${pageOf(file)
    .replace(/(^|\/)index\.md$/, "$1")
    .replace(/\.md$/, ".html")}`;

/** The pages stand where they are read on GitHub, too: nothing is copied, and a dead link fails the build. */
export default defineConfig({
  title: "Sluice",
  description: "Rate limiting for MCP servers, in TypeScript.",
  lang: "en",
  // There is none, and browsers do not have to ask for it.
  head: [["link", { rel: "icon", href: "data:," }]],
  srcDir: "..",
  srcExclude: ["packages/**", "deploy/**", "docs-site/**", "bench/results/**", ".ci/**", "**/dist/**"],
  outDir: "./dist",
  cacheDir: "./.vitepress/cache",
  rewrites: pageOf,
  markdown: {
    // As on GitHub, so that a link to a heading works in both.
    anchor: { slugify: (text) => slug(text) },
    config: linksOfSite,
  },
  themeConfig: {
    search: { provider: "local" },
    outline: { level: [2, 3] },
    nav: [
      { text: "MCP", link: linkOf("docs/mcp.md") },
      { text: "HTTP", link: linkOf("docs/http.md") },
      { text: "Calls that go out", link: linkOf("docs/outbound.md") },
      { text: "Gateway", link: linkOf("docs/gateway.md") },
    ],
    sidebar: subjects.map(({ text, pages }) => ({
      text,
      items: pages.map((page) => ({ text: page.text, link: linkOf(page.file) })),
    })),
  },
  buildEnd: ({ outDir }) => writeSourceFiles(outDir),
});
