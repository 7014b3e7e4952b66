import { parseCall } from "../call-text.ts";
import { explanationData, explanationText } from "../explained.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import { type CommonOptions, localClient } from "./settings.ts";

export interface CallOptions extends CommonOptions {
  readonly call: string;
  readonly client?: string;
  readonly address?: string;
  readonly json?: boolean;
}

/** `sluice explain`: which limits a call falls under, under which keys, and what would become of it now. Nothing is taken. */
export function explain(options: CallOptions): Promise<number> {
  return withGateway(options, async ({ policies }) => {
    const request = parseCall(options.call);
    const { current } = policies;
    const explanation = await current.explain(request, originOf(options));
    const about = [current, request, explanation] as const;
    print(options.json ? JSON.stringify(explanationData(...about)) : explanationText(...about));
  });
}

/** `sluice reset`: forgets what calls like this one were charged, in a store that outlives a process. */
export function reset(options: CallOptions): Promise<number> {
  return withGateway(options, async ({ policies }) => {
    if ((policies.config.store ?? "memory") === "memory") {
      throw new CliError(
        "The store is memory, which only the running gateway can see. Ask its admin API, or name a store that is shared: --store sqlite:PATH.",
      );
    }
    const forgotten = await policies.current.forget(parseCall(options.call), originOf(options));
    if (options.json) print(JSON.stringify(forgotten.map(({ quota, ...one }) => ({ ...one, quota: quota.name }))));
    else for (const { quota, key } of forgotten) print(`reset ${quota.name}: ${quota.text}; key ${key}`);
    if (!options.json && forgotten.length === 0) print("This call falls under no limit.");
  });
}

async function withGateway(options: CallOptions, act: (gateway: Gateway) => Promise<void>): Promise<number> {
  const gateway = await openGateway({ ...options, logLevel: "error" }, { follows: false });
  try {
    await act(gateway);
    return ExitCode.ok;
  } finally {
    await gateway.close();
  }
}

const originOf = ({ client, address }: CallOptions) => ({ connection: client ?? localClient(), address });

const print = (line: string): void => void process.stdout.write(`${line}\n`);
