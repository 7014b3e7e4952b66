import { useState } from "preact/hooks";
import type { ClientRow, Order } from "../../src/admin/clients.ts";
import type { Api } from "./api.ts";
import { type Action, ClientAction } from "./client-actions.tsx";
import { ClientName } from "./client-name.tsx";
import { clientName, count, duration } from "./format.ts";
import { Gauge } from "./gauge.tsx";
import { Scroll } from "./scroll.tsx";
import type { State } from "./state.ts";

const ORDERS: readonly (readonly [Order, string])[] = [
  ["calls", "Most calls"],
  ["refused", "Most refused"],
  ["used", "Nearest to a limit"],
  ["last", "Latest"],
];

interface ClientsProps {
  readonly api: Api;
  readonly state: State;
  sort(order: Order): void;
  /** Shows the decisions about a client alone. */
  look(client: string): void;
  done(text: string): void;
}

/** Who calls, how much of a limit is left, and what can be done about it. */
export function Clients({ api, state, sort, look, done }: ClientsProps) {
  const [open, setOpen] = useState<{ readonly action: Action; readonly client: ClientRow }>();
  const { clients, known, limits, clockAheadMs, clientOrder } = state;
  const now = Date.now() + clockAheadMs;
  return (
    <section class="panel most clients-panel" aria-labelledby="clients-title">
      <header>
        <h2 id="clients-title">Clients</h2>
        <span class="hint">{known > clients.length ? `${clients.length} of ${count(known)}` : count(known)}</span>
        <select
          aria-label="Order of clients"
          value={clientOrder}
          onChange={({ currentTarget }) => sort(currentTarget.value as Order)}
        >
          {ORDERS.map(([order, name]) => (
            <option key={order} value={order}>
              {name}
            </option>
          ))}
        </select>
      </header>
      {clients.length === 0 ? (
        <p class="empty">Nobody has called yet.</p>
      ) : (
        <Scroll title="clients-title">
          <table class="clients">
            <thead>
              <tr>
                <th scope="col">Client</th>
                <th scope="col" class="number">
                  Passed
                </th>
                <th scope="col" class="number">
                  Refused
                </th>
                <th scope="col">Tightest limit, and when it is new</th>
                <th scope="col">Last call</th>
                <th scope="col">
                  <span class="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {clients.map((client) => (
                <Row
                  key={client.client}
                  client={client}
                  now={now}
                  act={(action) => setOpen({ action, client })}
                  look={() => look(client.client)}
                />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {open !== undefined && (
        <ClientAction {...open} api={api} limits={limits} done={done} close={() => setOpen(undefined)} />
      )}
    </section>
  );
}

interface RowProps {
  readonly client: ClientRow;
  readonly now: number;
  act(action: Action): void;
  look(): void;
}

function Row({ client, now, act, look }: RowProps) {
  const { passed, refused, wouldBeRefused, tier, tightest, lastAt, lastCall } = client;
  const { name } = clientName(client.client);
  // What has not been looked at since it flowed back is all there.
  const isNew = tightest.resetAt <= now;
  const used = isNew ? 0 : tightest.limit - tightest.remaining;
  return (
    <tr>
      <th scope="row">
        <button type="button" class="link" onClick={look} title="Show the decisions about it">
          <ClientName client={client.client} />
        </button>
        {tier !== undefined && <span class="tag">{tier}</span>}
      </th>
      <td class="number">{count(passed)}</td>
      <td class="number">
        <span class={refused > 0 ? "refused-text" : "muted"}>{count(refused)}</span>
        {wouldBeRefused > 0 && <span class="shadow-text"> +{count(wouldBeRefused)} on trial</span>}
      </td>
      <td>
        <Gauge used={used} limit={tightest.limit} />
        <span class="hint">
          {tightest.policy ?? tightest.quota}
          {!isNew && ` · ${duration(tightest.resetAt - now)}`}
        </span>
      </td>
      <td>
        {lastCall.tool ?? lastCall.method}
        <span class="hint"> {duration(Math.max(0, now - lastAt))} ago</span>
      </td>
      <td class="row-actions">
        <button type="button" class="quiet" onClick={() => act("override")} aria-label={`Override for ${name}`}>
          Override
        </button>
        <button type="button" class="quiet" onClick={() => act("reset")} aria-label={`Reset ${name}`}>
          Reset
        </button>
        <button type="button" class="quiet" onClick={() => act("block")} aria-label={`Block ${name}`}>
          Block
        </button>
      </td>
    </tr>
  );
}
