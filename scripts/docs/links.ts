import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import GithubSlugger from "github-slugger";
import { pages, targetOf } from "../../docs-site/.vitepress/paths.ts";
import { subjects } from "../../docs-site/.vitepress/sidebar.ts";

/** A page without its code, in which nothing is a link or a heading. */
const proseOf = (root: string, page: string): string =>
  readFileSync(join(root, page), "utf8").replaceAll(/^```.*?^```$/gms, "");

/** Ids of headings, as GitHub makes them, and the site. */
function headingsOf(root: string, page: string): ReadonlySet<string> {
  const slugger = new GithubSlugger();
  const headings = proseOf(root, page).matchAll(/^#{1,6} +(.*)$/gm);
  return new Set(
    [...headings].map(([, text = ""]) =>
      slugger.slug(text.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[`*]/g, "")),
    ),
  );
}

/** Links to files and headings that are not there, pages that no other one links to, and pages that the site does not list. */
export function linkProblemsOf(root: string, all: readonly string[]): string[] {
  const problems: string[] = [];
  const linked = new Set<string>();
  for (const page of all) {
    for (const [, href = ""] of proseOf(root, page).matchAll(/\]\(([^)\s]+)\)/g)) {
      const { file, anchor } = targetOf(page, href) ?? { file: page, anchor: href.startsWith("#") ? href : "" };
      if (file !== page) linked.add(file);
      if (!existsSync(join(root, file))) problems.push(`${page}: there is no file ${file}`);
      else if (
        anchor !== "" &&
        file.endsWith(".md") &&
        !headingsOf(root, file).has(decodeURIComponent(anchor.slice(1)))
      ) {
        problems.push(`${page}: ${file} has no heading for ${anchor}`);
      }
    }
  }
  const listed = new Set(subjects.flatMap(({ pages: ofSubject }) => ofSubject.map(({ file }) => file)));
  for (const page of pages) {
    if (page !== "README.md" && !linked.has(page)) problems.push(`${page}: no other page links to it`);
    if (!listed.has(page)) problems.push(`${page}: docs-site/.vitepress/sidebar.ts does not list it`);
  }
  for (const page of listed) {
    if (!pages.has(page)) problems.push(`docs-site/.vitepress/sidebar.ts lists ${page}, which is no page`);
  }
  return problems;
}
