// Walks through the built site as a reader does: every link leads to a page, a file or a heading that is there, every page can be reached
// from the first one, and nothing is fetched from elsewhere.
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, posix, resolve } from "node:path";

const site = resolve(import.meta.dirname, "../docs-site/dist");
const problems: string[] = [];
const reached = new Set<string>();
const texts = new Map<string, string>();

function textOf(page: string): string {
  const known = texts.get(page) ?? readFileSync(join(site, page), "utf8");
  texts.set(page, known);
  return known;
}

const entities = (text: string): string => text.replaceAll("&amp;", "&").replaceAll("&quot;", '"');
const attributes = (html: string, name: string): string[] =>
  [...html.matchAll(new RegExp(`\\s${name}="([^"]*)"`, "g"))].map(([, value = ""]) => entities(value));

/** The file that an address means. */
function fileOf(page: string, path: string): string {
  const file = posix.join(path.startsWith("/") ? "" : posix.dirname(page), decodeURI(path)).replace(/^\//, "");
  return file === "" || file.endsWith("/") ? `${file}index.html` : file;
}

function follow(page: string, href: string): string | undefined {
  const [path = "", anchor] = href.split("#");
  const file = path === "" ? page : fileOf(page, path);
  if (!existsSync(join(site, file))) problems.push(`${page}: there is no ${file}`);
  else if (anchor && file.endsWith(".html") && !attributes(textOf(file), "id").includes(decodeURIComponent(anchor))) {
    problems.push(`${page}: ${file} has no heading "${anchor}"`);
  } else if (file.endsWith(".html")) return file;
  return undefined;
}

const waiting = ["index.html"];
for (let page = waiting.pop(); page !== undefined; page = waiting.pop()) {
  if (reached.has(page)) continue;
  reached.add(page);
  const html = textOf(page);
  for (const source of attributes(html, "src")) {
    if (/^(\w+:)?\/\//.test(source)) problems.push(`${page}: fetches ${source}`);
  }
  for (const [link] of html.matchAll(/<link [^>]*>/g)) {
    if (/href="(\w+:)?\/\//.test(link)) problems.push(`${page}: fetches ${link}`);
  }
  for (const [, href = ""] of html.matchAll(/<a [^>]*?href="([^"]*)"/g)) {
    if (/^\w+:/.test(href)) continue;
    const next = follow(page, entities(href));
    if (next !== undefined) waiting.push(next);
  }
}
for (const page of globSync("**/*.html", { cwd: site })) {
  if (!reached.has(page) && page !== "404.html") problems.push(`${page}: no page leads to it`);
}
for (const style of globSync("assets/*.css", { cwd: site })) {
  if (/url\(["']?(\w+:)?\/\//.test(textOf(style))) problems.push(`${style}: fetches from elsewhere`);
}
if (problems.length > 0) {
  console.error([...new Set(problems)].join("\n"));
  process.exitCode = 1;
} else {
  console.log(`The site has ${reached.size} pages, and all links between them lead somewhere.`);
}
