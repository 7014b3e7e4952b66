import { z } from "zod";
import { duration } from "./duration-schema.ts";

const upstream = z
  .strictObject({
    path: z
      .string()
      .regex(/^(\/[\w.~-]+)+$/, {
        error: ({ input }) =>
          `${JSON.stringify(input)} is no path: it is such as /files/mcp, without a slash at its end.`,
      })
      .optional()
      .meta({
        description: "Where the server is found at the gateway. Without it the whole gateway is this server.",
      }),
    url: z
      .url({ protocol: /^https?$/, error: "a server behind has a URL such as http://localhost:3000/mcp." })
      .optional()
      .meta({ description: "Of its MCP endpoint." }),
    command: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .meta({
        description: "Of a server over stdio: the program and its arguments.",
        examples: [["node", "server.js"]],
      }),
    env: z
      .record(z.string().min(1), z.string())
      .optional()
      .meta({ description: "Added to the environment of the command." }),
    cwd: z.string().min(1).optional().meta({ description: "The folder in which the command runs." }),
    maxSessions: z
      .int()
      .min(1)
      .optional()
      .meta({ description: "Sessions at once, each with a process of its own. Default: 100." }),
    idle: duration(
      1_000,
      7 * 86_400_000,
      "A session ends, and its process, when nothing happened for so long. Default: 30min.",
    ).optional(),
  })
  .superRefine(({ url, command, env, cwd, maxSessions, idle }, context) => {
    const isWrong = (message: string) => context.addIssue({ code: "custom", message });
    if (url === undefined && command === undefined) isWrong("a server has a url, or a command that starts it.");
    if (url === undefined) return;
    if (command !== undefined) isWrong("a server has a url or a command, and this one has both.");
    const ofCommands = { env, cwd, maxSessions, idle };
    for (const [name, value] of Object.entries(ofCommands)) {
      if (value !== undefined)
        context.addIssue({ code: "custom", path: [name], message: `${name} belongs to a command.` });
    }
  });

/** The servers behind a gateway. */
export const upstreams = z
  .array(upstream)
  .min(1)
  .superRefine((list, context) => {
    const paths = list.map(({ path }) => path);
    list.forEach(({ path }, i) => {
      const isWrong = path === undefined ? list.length > 1 : paths.indexOf(path) !== i;
      if (!isWrong) return;
      const message =
        path === undefined ? "of several servers each has a path." : `there is another server at ${path}.`;
      context.addIssue({ code: "custom", path: [i, "path"], message });
    });
  })
  .meta({ description: "The servers behind, for `sluice serve`." });

export type UpstreamConfig = z.infer<typeof upstream>;
