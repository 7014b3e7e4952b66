/**
 * A path as the most lenient router reads it: decoded, in lower case, without repeated, trailing and dotted segments.
 * What a server may take for its MCP path is treated as that, however it is written.
 */
export function lenientPath(url: string): string {
  const [path = "/"] = url.split(/[?#]/, 1);
  const segments: string[] = [];
  for (const segment of decoded(path).toLowerCase().replaceAll("\\", "/").split("/")) {
    // What follows a semicolon are parameters of the segment to some servers.
    const [name = ""] = segment.split(";", 1);
    if (name === "..") segments.pop();
    else if (name !== "" && name !== ".") segments.push(name);
  }
  return `/${segments.join("/")}`;
}

/** As often as it changes anything: a server behind may decode once more than another. */
function decoded(text: string): string {
  let now = text;
  for (let i = 0; i < 3; i++) {
    const next = now.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (next === now) break;
    now = next;
  }
  return now;
}
