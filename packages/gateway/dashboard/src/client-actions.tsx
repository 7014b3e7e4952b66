import { useEffect, useState } from "preact/hooks";
import type { ClientRow } from "../../src/admin/clients.ts";
import type { LimitRow } from "../../src/admin/live/counts.ts";
import type { ExplanationData } from "../../src/explained.ts";
import type { Api } from "./api.ts";
import { ClientName } from "./client-name.tsx";
import { Dialog } from "./dialog.tsx";
import { clientName, duration } from "./format.ts";

export type Action = "override" | "block" | "reset";

interface ActionProps {
  readonly api: Api;
  readonly client: ClientRow;
  readonly limits: readonly LimitRow[];
  /** Says that it is done. */
  done(text: string): void;
  close(): void;
}

/** What an operator can do about a client. */
export function ClientAction({ action, ...props }: ActionProps & { readonly action: Action }) {
  if (action === "override") return <OverrideDialog {...props} />;
  return action === "block" ? <BlockDialog {...props} /> : <ResetDialog {...props} />;
}

const TIMES = ["10min", "1h", "8h", "1d", "7d"];

function OverrideDialog({ api, client, limits, done, close }: ActionProps) {
  const policies = policiesOf(limits);
  const [limit, setLimit] = useState(client.tightest.policy ?? policies[0] ?? "");
  const now = limits.find(({ policy, isInForce }) => policy === limit && isInForce);
  const [quota, setQuota] = useState("");
  const [time, setTime] = useState("1h");
  const [note, setNote] = useState("");
  return (
    <Dialog
      title="Another limit for a while"
      action="Set override"
      canAct={limit !== "" && quota.trim() !== ""}
      act={async () => {
        const words = note.trim() === "" ? {} : { note: note.trim() };
        await api.send("POST", "overrides", { limit, client: client.client, quota: quota.trim(), for: time, ...words });
        done(`${clientName(client.client).name} has ${quota.trim()} of ${limit} for ${time}.`);
      }}
      close={close}
    >
      <ClientName client={client.client} />
      <PolicyChoice policies={policies} chosen={limit} choose={setLimit} />
      <label>
        Rate instead of {now?.rate ?? "its own"}
        <input
          value={quota}
          onInput={({ currentTarget }) => setQuota(currentTarget.value)}
          placeholder="200/min, 20/s burst 40, unlimited"
          autofocus
        />
      </label>
      <TimeChoice chosen={time} choose={setTime} />
      <label>
        Note
        <input
          value={note}
          onInput={({ currentTarget }) => setNote(currentTarget.value)}
          placeholder="why"
          maxLength={200}
        />
      </label>
    </Dialog>
  );
}

const EVERYTHING = "*everything*";

function BlockDialog({ api, client, limits, done, close }: ActionProps) {
  const policies = policiesOf(limits.filter(({ mode }) => mode === "enforce"));
  const [limit, setLimit] = useState(EVERYTHING);
  const [time, setTime] = useState("1h");
  return (
    <Dialog
      title="Block a client"
      action="Block"
      isDangerous
      canAct={policies.length > 0}
      act={async () => {
        const blocked = limit === EVERYTHING ? policies : [limit];
        for (const one of blocked) {
          await api.send("POST", "overrides", { limit: one, client: client.client, quota: "blocked", for: time });
        }
        done(`${clientName(client.client).name} is blocked for ${time}.`);
      }}
      close={close}
    >
      <ClientName client={client.client} />
      <p>Nothing of this client passes for a while, and the model is told so. It ends by itself.</p>
      <label>
        What is blocked
        <select value={limit} onChange={({ currentTarget }) => setLimit(currentTarget.value)}>
          <option value={EVERYTHING}>Everything that has a limit</option>
          {policies.map((policy) => (
            <option key={policy} value={policy}>
              What {policy} limits
            </option>
          ))}
        </select>
      </label>
      <TimeChoice chosen={time} choose={setTime} />
    </Dialog>
  );
}

function ResetDialog({ api, client, done, close }: ActionProps) {
  const { lastCall, client: key } = client;
  const call = lastCall.tool === undefined ? { method: lastCall.method } : { name: lastCall.tool };
  const [limits, setLimits] = useState<ExplanationData["limits"]>();
  useEffect(() => {
    void api
      .send<ExplanationData>("POST", "decisions", { call, client: key })
      .then((explained) => setLimits(explained.limits))
      .catch(() => setLimits([]));
  }, []);
  const shared = limits?.filter(({ per }) => per === "everyone") ?? [];
  return (
    <Dialog
      title="Forget what was used"
      action="Reset"
      canAct={limits !== undefined && limits.length > 0}
      act={async () => {
        await api.send("POST", "reset", { call, client: key });
        done(`The limits of ${clientName(key).name} for ${lastCall.tool ?? lastCall.method} are as good as new.`);
      }}
      close={close}
    >
      <ClientName client={key} />
      <p>
        All limits that a call of <code>{lastCall.tool ?? lastCall.method}</code> by this client falls under become as
        good as new:
      </p>
      <ul class="plain">
        {limits?.map(({ policy, rate, decision }) => (
          <li key={policy + rate}>
            <b>{policy}</b>, {rate}: {decision.limit - decision.remaining} used, new by itself in{" "}
            {duration(decision.resetAfterMs)}
          </li>
        ))}
        {limits?.length === 0 && <li>none</li>}
      </ul>
      {shared.length > 0 && (
        <p class="problem">
          {shared.map(({ policy }) => policy).join(", ")} is shared by all clients, and is reset for all.
        </p>
      )}
    </Dialog>
  );
}

interface ChoiceProps {
  readonly chosen: string;
  choose(value: string): void;
}

const PolicyChoice = ({ policies, chosen, choose }: ChoiceProps & { readonly policies: readonly string[] }) => (
  <label>
    Limit
    <select value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value)}>
      {policies.map((policy) => (
        <option key={policy} value={policy}>
          {policy}
        </option>
      ))}
    </select>
  </label>
);

const TimeChoice = ({ chosen, choose }: ChoiceProps) => (
  <label>
    For how long
    <select value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value)}>
      {TIMES.map((time) => (
        <option key={time} value={time}>
          {time}
        </option>
      ))}
    </select>
  </label>
);

const policiesOf = (limits: readonly LimitRow[]): readonly string[] => [
  ...new Set(limits.filter(({ isInForce }) => isInForce).map(({ policy }) => policy)),
];
