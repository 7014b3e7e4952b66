import { CallToolResultSchema, CreateTaskResultSchema } from "@modelcontextprotocol/sdk/types.js";
import type { ClientKind } from "../../../sluice/test/inbound/mcp/clients.ts";
import { fullClient, type Target } from "./full-client.ts";

/** What happened in a part of the scenario. */
interface Part {
  /** What the application got. */
  readonly result: any;
  /** Requests and notifications of the server, in order. */
  readonly told: readonly any[];
  /** Answers of the server, by their ids. */
  readonly answers: readonly unknown[];
}

const isTold = (method: string) => (message: any) => message.method === method;
const says = (data: unknown) => (message: any) => message.params?.data === data;

/** Does everything that a client can do with a full server, and writes down all that it sees. */
export async function playScenario(
  kind: ClientKind,
  target: Target,
  generation: "v1" | "v2",
): Promise<Record<string, Part>> {
  const { client, transport, told, answers, exchanges, hears, connect } = fullClient(kind, target);
  const isModern = kind === "v2 modern";
  const parts: Record<string, Part> = {};

  async function part(name: string, act: () => Promise<unknown>): Promise<void> {
    const result = await act().catch(({ name: type, code, message, data }) => ({
      failed: { type, code, message, data },
    }));
    // Answers to calls at the same time come on streams of their own.
    const sorted = answers.splice(0).sort((a, b) => (a.id < b.id ? -1 : 1));
    parts[name] = plain({ result, told: told.splice(0), answers: sorted });
  }

  /** In the new era each call says by itself what is logged. */
  const logging = isModern ? { _meta: { "io.modelcontextprotocol/logLevel": "info" } } : {};
  const call = (name: string, args: object = {}, options: object = {}) => {
    const params = { name, arguments: args, ...logging };
    return kind === "v1" ? client.callTool(params, undefined, options) : client.callTool(params, options);
  };

  await part("connect", async () => {
    await connect();
    return [
      client.getServerVersion(),
      client.getServerCapabilities(),
      client.getInstructions(),
      transport.protocolVersion,
    ];
  });
  if (!isModern) {
    await part("ping", () => client.ping());
    await part("log level", () => client.setLoggingLevel("info"));
  }
  await part("tools", () => client.listTools());
  await part("resources", () => client.listResources());
  await part("templates", () => client.listResourceTemplates());
  await part("prompts", () => client.listPrompts());
  for (const uri of ["note://1", "picture://1", "city://Bonn", "nowhere://1"]) {
    await part(`read ${uri}`, () => client.readResource({ uri }));
  }
  await part("prompt", () => client.getPrompt({ name: "travel", arguments: { to: "Zürich" } }));
  await part("prompt without its argument", () => client.getPrompt({ name: "travel", arguments: {} }));
  const completed = [
    { type: "ref/prompt", name: "travel", argument: "to" },
    { type: "ref/resource", uri: "city://{name}", argument: "name" },
  ];
  for (const { argument, ...ref } of completed) {
    await part(`complete ${ref.type}`, () => client.complete({ ref, argument: { name: argument, value: "B" } }));
  }

  for (const name of ["typed", "media", "fail", "no-such-tool"]) await part(name, () => call(name));
  await part("wrong arguments", () => call("work", { steps: "many" }));
  // The SDKs call nobody when progress comes in one piece with the result, so what counts is what came.
  await part("progress and log", () => call("work", { steps: 5 }, { onprogress: () => {} }));
  await part("what the server asks", () => call("ask"));
  await part("a long stream", () => call("stream"));
  await part("log by level", async () => {
    const result = await call("log");
    await hears(says("warning"));
    return result;
  });
  await part("cancel", async () => {
    const controller = new AbortController();
    const waiting = call("wait", {}, { signal: controller.signal }).catch(({ message }: Error) => message);
    await hears(says("waiting"));
    controller.abort("I have no time.");
    return [await waiting, await call("cancelled")];
  });

  if (isModern) {
    await part("listen", async () => {
      const listening = await client.listen({ resourceSubscriptions: ["note://1"], toolsListChanged: true });
      for (const uri of ["picture://1", "note://1"]) await call("touch", { uri });
      await hears(isTold("notifications/resources/updated"));
      await call("grow");
      await hears(isTold("notifications/tools/list_changed"));
      await listening.close();
      return [listening.honoredFilter, await listening.closed];
    });
  } else {
    await part("subscribe", async () => {
      await client.subscribeResource({ uri: "note://1" });
      const touched = [await call("touch", { uri: "picture://1" }), await call("touch", { uri: "note://1" })];
      await hears(isTold("notifications/resources/updated"));
      await client.unsubscribeResource({ uri: "note://1" });
      return [touched, await call("touch", { uri: "note://1" })];
    });
    await part("list changed", async () => {
      await call("grow");
      await hears(isTold("notifications/tools/list_changed"));
      return [await client.listTools(), await call("grown")];
    });
  }
  if (kind === "v1" && generation === "v1") {
    await part("tasks", async () => {
      const seen = await playTasks(client, call);
      await hears(isTold("notifications/tasks/status"));
      return seen;
    });
  }
  if (transport.sessionId !== undefined) {
    await part("end of the session", () => transport.terminateSession());
  }
  await client.close();
  if ("url" in target) parts.http = { result: exchanges(), told: [], answers: [] };
  return parts;
}

/** One that is waited for, one that is cancelled, and one that the client did not ask for as it has to. */
async function playTasks(client: any, call: (name: string) => Promise<unknown>): Promise<unknown> {
  const { tasks } = client.experimental;
  const begin = async (n: number) => {
    const params = { name: "job", arguments: { n }, task: { ttl: 60_000 } };
    return (await client.request({ method: "tools/call", params }, CreateTaskResultSchema)).task;
  };
  const job = await begin(7);
  const seen = [job, await tasks.getTask(job.taskId)];
  // Asked before there is one: the server answers when it is there.
  const result = tasks.getTaskResult(job.taskId, CallToolResultSchema);
  seen.push(await call("finish"), await result, await tasks.getTask(job.taskId));
  const other = await begin(8);
  seen.push(await tasks.cancelTask(other.taskId), await tasks.getTask(other.taskId), await tasks.listTasks());
  seen.push(await call("job").catch(({ code, message }: any) => ({ code, message })));
  return seen;
}

/** Without what differs from one time to the next: names of tasks and sessions, and times. */
function plain(part: Part): Part {
  const text = JSON.stringify(part)
    .replaceAll(/[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/g, "NAME")
    .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, "TIME");
  return JSON.parse(text);
}
