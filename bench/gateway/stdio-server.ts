// The least that a server over stdio can do: it answers each line with one of its id.
process.stdin.setEncoding("utf8");
let rest = "";
process.stdin.on("data", (chunk: string) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop()!;
  let out = "";
  for (const line of lines) {
    const { id, method } = JSON.parse(line);
    if (id === undefined) continue;
    const result =
      method === "initialize"
        ? { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "stub", version: "1" } }
        : { content: [{ type: "text", text: "hello" }] };
    out += `${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`;
  }
  if (out !== "") process.stdout.write(out);
});
