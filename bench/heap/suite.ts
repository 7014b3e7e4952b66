import { type ContenderName, contenders } from "../decisions/contenders.ts";
import { median } from "../statistics.ts";
import { startWorker } from "../worker.ts";

export interface HeapFigures {
  /** Bytes per live key at a million keys, the key's own text excluded. */
  readonly perKey: number;
  /** Bytes allocated per check. */
  readonly perCheck: number;
  /** MB in use after a million and after ten million different keys. Only of those that have a bound. */
  readonly flood?: readonly [afterOneMillion: number, afterTenMillion: number];
}

export type HeapResults = Partial<Record<ContenderName, HeapFigures>>;

const MB = 1_000_000;
const script = new URL("heap-process.ts", import.meta.url);
const names = Object.keys(contenders) as ContenderName[];

/** No collection within 100,000 checks. */
const roomy = ["--min-semi-space-size=256", "--max-semi-space-size=256"];

/** Memory of all contenders, each figure from processes of its own. Nothing here is timed, so they run side by side. */
export async function heap(rounds: number): Promise<HeapResults> {
  const results: HeapResults = {};
  for (const name of names) {
    const perKey = median(await repeat<number>(rounds, name, "perKey"));
    const perCheck = median(await repeat<number>(rounds, name, "perCheck", roomy));
    results[name] = { perKey, perCheck };
    console.error(`${name}: ${perKey.toFixed(0)} B per key, ${perCheck.toFixed(0)} B per check`);
  }
  const name = "sluice, token bucket";
  const [[some, all] = [0, 0]] = await repeat<[number, number]>(1, name, "flood");
  results[name] = { ...results[name]!, flood: [some / MB, all / MB] };
  console.error(`flood: ${(some / MB).toFixed(1)} MB after 1 M keys, ${(all / MB).toFixed(1)} MB after 10 M`);
  return results;
}

function repeat<T>(rounds: number, name: ContenderName, question: string, nodeOptions: readonly string[] = []) {
  return Promise.all(
    Array.from({ length: rounds }, async () => {
      const worker = await startWorker(script, [name], ["--expose-gc", ...nodeOptions]);
      try {
        return await worker.ask<T>(question);
      } finally {
        worker.end();
      }
    }),
  );
}
