import { type ChildProcess, fork } from "node:child_process";

/**
 * A fresh Node process that does one thing whenever it is asked: no contender inherits another one's
 * optimised code, garbage or heap size.
 */
export interface Worker {
  /** Send a question and wait for the answer. */
  ask<T>(question: unknown): Promise<T>;
  end(): void;
}

/** Longer than anything here takes, so that a run ends by itself whatever happens. */
const PATIENCE_MS = 180_000;

/** Starts a script and waits until it says that it is ready. */
export async function startWorker(
  script: URL,
  args: readonly string[],
  execArgv: readonly string[] = [],
): Promise<Worker> {
  const child = fork(script, args, { execArgv: [...execArgv], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  await messageOf(child);
  return {
    ask(question) {
      child.send(question as object);
      return messageOf(child);
    },
    end: () => child.kill(),
  };
}

function messageOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => reject(new Error(`${child.spawnargs} did not answer.`))), PATIENCE_MS);
    const onMessage = (message: unknown) => settle(() => resolve(message as T));
    const onExit = (code: number | null) =>
      settle(() => reject(new Error(`${child.spawnargs} ended with code ${code} without an answer.`)));
    child.once("message", onMessage).once("exit", onExit);

    function settle(outcome: () => void): void {
      clearTimeout(timer);
      child.off("message", onMessage).off("exit", onExit);
      outcome();
    }
  });
}

/** In the worker: be ready, then answer every question. */
export function answerQuestions(answer: (question: any) => unknown): void {
  process.on("message", async (question) => process.send!(await answer(question)));
  process.on("disconnect", () => process.exit());
  process.send!("ready");
}
