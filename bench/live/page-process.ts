/** What a live page asks of a gateway, in a process of its own: the stream of events, and all tables every two seconds. */
import { answerQuestions } from "../worker.ts";
import { TOKEN } from "./token.ts";

const EVERY_MS = 2_000;
const TABLES = ["status", "clients?top=25&by=calls", "tools", "limits", "overrides"];

const [port] = process.argv.slice(2);
let open: AbortController | undefined;
let decisions = 0;

const ask = (path: string, signal: AbortSignal) =>
  fetch(`http://127.0.0.1:${port}/api/v1/${path}`, { headers: { Authorization: `Bearer ${TOKEN}` }, signal });

async function connect(): Promise<void> {
  open = new AbortController();
  const { signal } = open;
  const { body } = await ask("events", signal);
  const read = async () => {
    for await (const text of body!.pipeThrough(new TextDecoderStream()))
      decisions += text.split("event: decision").length - 1;
  };
  const poll = async () => {
    for (;;) {
      await Promise.all(TABLES.map(async (path) => (await ask(path, signal)).text()));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS).unref());
      signal.throwIfAborted();
    }
  };
  for (const work of [read, poll]) void work().catch(() => {});
}

/** Answers with the decisions that it has heard of since it was asked last. */
answerQuestions(async (question: "connect" | "leave") => {
  const heard = decisions;
  decisions = 0;
  if (question === "connect") await connect();
  else open?.abort();
  return heard;
});
