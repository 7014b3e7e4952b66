import { readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** A file of the live page, ready to be sent. */
export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
  /** Whether its name changes with what is in it. */
  readonly isForever: boolean;
}

export interface PageFiles {
  /** @param path below the page's own: `/`, `/assets/…` */
  find(path: string): PageFile | undefined;
}

/** Where the build puts it, seen from the source as from what is built of it. */
const FOLDER = fileURLToPath(new URL("../../dist/dashboard/", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Nothing but the page's own files, and nobody may put it in a frame. No script and no style stands in the page itself. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Reads the live page into memory: there are a handful of files. Without a build there are none. */
export function pageFiles(folder: string = FOLDER): PageFiles {
  const files = new Map(namesIn(folder).map((name) => [`/${name}`, fileOf(`${folder}/${name}`, name)]));
  const index = files.get("/index.html");
  files.delete("/index.html");
  if (index !== undefined) files.set("/", index);
  return { find: (path) => files.get(path) };
}

/** Sends a file of the live page, with the headers that keep everybody else out of it. */
export function sendPage({ method, headers }: IncomingMessage, response: ServerResponse, file: PageFile): void {
  const isGzipped = /\bgzip\b/.test(String(headers["accept-encoding"] ?? ""));
  const body = isGzipped ? file.gzipped : file.body;
  response.writeHead(200, {
    "Content-Type": file.type,
    "Content-Length": body.length,
    ...(isGzipped && { "Content-Encoding": "gzip" }),
    Vary: "Accept-Encoding",
    "Cache-Control": file.isForever ? "public, max-age=31536000, immutable" : "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(method === "HEAD" ? undefined : body);
}

function namesIn(folder: string): readonly string[] {
  try {
    const all = readdirSync(folder, { recursive: true, encoding: "utf8" });
    return all.map((name) => name.replaceAll("\\", "/")).filter((name) => extname(name) in TYPES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function fileOf(path: string, name: string): PageFile {
  const body = readFileSync(path);
  return {
    type: TYPES[extname(name)]!,
    body,
    gzipped: gzipSync(body, { level: 9 }),
    isForever: name.startsWith("assets/"),
  };
}
