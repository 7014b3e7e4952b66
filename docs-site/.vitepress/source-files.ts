import { cpSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { filesIn, pageOf, pages, REPOSITORY, targetOf } from "./paths.ts";

/** What a page links to that is no page: it is put beside the site, so that the site is whole without the network. */
const linked = new Set<string>();

const isFolder = (path: string): boolean => statSync(join(REPOSITORY, path)).isDirectory();

/** Text, whatever its type: a browser would take `.ts` for a film. */
const nameOf = (file: string): string => `files/${file}${isFolder(file) ? "/index.html" : ".txt"}`;

/** The links of a page as the site needs them. @param env of markdown-it, as VitePress makes it */
export function linksOfSite(md: any): void {
  md.core.ruler.push("links-of-site", (state: any) => {
    const page = posix.relative(REPOSITORY, state.env.realPath ?? state.env.path);
    for (const token of state.tokens.flatMap(({ children }: any) => children ?? [])) {
      if (token.type !== "link_open") continue;
      const target = targetOf(page, token.attrGet("href"));
      // What is not there is left as it is: VitePress tells of it, or the walk through the site.
      if (target === undefined || !existsSync(join(REPOSITORY, target.file))) continue;
      const { file, anchor } = target;
      const relativeTo = (path: string) => posix.relative(posix.dirname(page), path);
      if (pages.has(file)) {
        const href = relativeTo(pageOf(file));
        token.attrSet("href", (href === "" ? posix.basename(pageOf(file)) : href) + anchor);
      } else {
        linked.add(file);
        token.attrSet("href", relativeTo(nameOf(file)));
        token.attrSet("target", "_blank");
      }
    }
  });
}

/** Writes the files that pages link to, and a list of each folder. */
export function writeSourceFiles(outDir: string): void {
  for (const path of linked) {
    const files = filesIn(path);
    for (const file of files) {
      const to = join(outDir, nameOf(file));
      mkdirSync(dirname(to), { recursive: true });
      cpSync(join(REPOSITORY, file), to);
    }
    if (isFolder(path)) writeFileSync(join(outDir, nameOf(path)), listOf(path, files));
  }
}

const listOf = (folder: string, files: readonly string[]): string => {
  const items = files.map((file) => {
    const inside = posix.relative(folder, file);
    return `<li><a href="${encodeURI(inside)}.txt">${inside}</a></li>`;
  });
  return `<!doctype html><meta charset="utf-8"><title>${folder}</title><h1>${folder}</h1><ul>${items.join("")}</ul>`;
};
