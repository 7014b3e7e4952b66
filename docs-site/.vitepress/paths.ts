import { globSync, statSync } from "node:fs";
import { join, posix, relative, resolve } from "node:path";

/** The repository: its pages are those of the site, where they stand. */
export const REPOSITORY = resolve(import.meta.dirname, "../..");

/** Pages of the site, by their files. */
export const pages: ReadonlySet<string> = new Set(
  globSync(["*.md", "docs/**/*.md", "bench/README.md", "examples/*/README.md"], { cwd: REPOSITORY }),
);

/** What a page is called in the site: a README is the index of its folder. */
export const pageOf = (file: string): string => file.replace(/(^|\/)README\.md$/, "$1index.md");

/** Where a link leads to, in the repository; `undefined` for links to elsewhere, and within the page. */
export function targetOf(page: string, href: string): { readonly file: string; readonly anchor: string } | undefined {
  if (/^(\w+:|#|\/)/.test(href)) return undefined;
  const [path = "", anchor] = href.split("#");
  const file = posix.normalize(posix.join(posix.dirname(page), decodeURI(path))).replace(/\/$/, "");
  return { file, anchor: anchor === undefined ? "" : `#${anchor}` };
}

/** The files of a folder, or the one file that it is. */
export function filesIn(path: string): readonly string[] {
  const whole = join(REPOSITORY, path);
  if (statSync(whole).isFile()) return [path];
  return globSync("**/*", { cwd: whole, withFileTypes: true, exclude: (one) => one.name === "node_modules" })
    .filter((one) => one.isFile())
    .map((one) => relative(REPOSITORY, join(one.parentPath, one.name)))
    .sort();
}
