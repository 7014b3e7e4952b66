import type { Redis } from "ioredis";

export interface SlotMove {
  readonly slot: number;
  readonly from: Redis;
  readonly to: Redis;
  /** All masters hear of the end of it. */
  readonly masters: readonly Redis[];
  /** Is called before the first key moves and after each one, while the slot is in two places. */
  readonly between: () => Promise<unknown>;
}

/** Moves a slot of a Cluster as `redis-cli --cluster reshard` does: key by key, while it is in use. */
export async function moveSlot({ slot, from, to, masters, between }: SlotMove): Promise<void> {
  const [fromId, toId] = await Promise.all([from, to].map(async (node) => String(await node.call("CLUSTER", "MYID"))));
  await to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId!);
  await from.call("CLUSTER", "SETSLOT", slot, "MIGRATING", toId!);
  await between();
  const { host, port } = to.options as { host: string; port: number };
  for (;;) {
    const keys = (await from.call("CLUSTER", "GETKEYSINSLOT", slot, 1)) as string[];
    if (keys.length === 0) break;
    await from.call("MIGRATE", host, port, keys[0]!, 0, 5000);
    await between();
  }
  await to.call("CLUSTER", "SETSLOT", slot, "NODE", toId!);
  for (const node of masters) await node.call("CLUSTER", "SETSLOT", slot, "NODE", toId!);
}
