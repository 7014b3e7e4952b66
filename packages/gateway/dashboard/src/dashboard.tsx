import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LimitRow } from "../../src/admin/live/counts.ts";
import { ApiError, apiWith } from "./api.ts";
import { Clients } from "./clients.tsx";
import { Decisions, NO_FILTER } from "./decisions.tsx";
import { follow } from "./follow.ts";
import { clientName } from "./format.ts";
import { Notice } from "./notice.tsx";
import { Overrides } from "./overrides.tsx";
import { Policies } from "./policies.tsx";
import { refreshing } from "./refresh.ts";
import { Servers } from "./servers.tsx";
import { createStore, type State, type Store } from "./state.ts";
import { StatusBar } from "./status-bar.tsx";
import { Threshold } from "./threshold.tsx";
import { Tiles } from "./tiles.tsx";
import { Timeline } from "./timeline.tsx";
import { Tools } from "./tools.tsx";
import { WhatIf } from "./what-if.tsx";

interface DashboardProps {
  readonly token: string;
  leave(reason: string): void;
}

/** The page of who is signed in. */
export function Dashboard({ token, leave }: DashboardProps) {
  const api = useMemo(() => apiWith(token), [token]);
  const store = useMemo(createStore, []);
  const state = useStateOf(store);
  const [filter, setFilter] = useState(NO_FILTER);
  const [tried, setTried] = useState<LimitRow>();
  const [isTrying, setTrying] = useState(false);
  const refresh = useRef(async () => {});
  const now = Date.now() + state.clockAheadMs;

  useEffect(() => {
    const end = new AbortController();
    const tables = refreshing(api, store);
    refresh.current = tables.now;
    follow(api, store, end.signal).catch((error: unknown) => {
      leave(error instanceof ApiError ? error.message : String(error));
    });
    return () => {
      end.abort();
      tables.end();
    };
  }, [api]);

  /** Says what was done, and looks what came of it. */
  function done(text: string, isBad = false): void {
    store.change({ notice: { text, isBad } });
    void refresh.current();
  }

  function look(text: string): void {
    setFilter({ ...NO_FILTER, text });
    document.getElementById("decisions")?.scrollIntoView({ block: "start" });
  }

  return (
    <>
      <StatusBar state={state} leave={() => leave("")} />
      <main class="panels">
        <Tiles state={state} />
        <Timeline seconds={state.seconds} changes={state.changes} clockAheadMs={state.clockAheadMs} />
        <Clients
          api={api}
          state={state}
          sort={(clientOrder) => {
            store.change({ clientOrder });
            void refresh.current();
          }}
          look={look}
          done={done}
        />
        <Tools tools={state.tools} now={now} look={look} />
        <Policies
          limits={state.limits}
          adapted={state.status?.adapted ?? {}}
          now={now}
          tryLimit={setTried}
          tryCall={() => setTrying(true)}
        />
        <div class="rest stack">
          <Servers upstreams={state.status?.upstreams ?? []} />
          <Overrides
            overrides={state.overrides}
            now={now}
            remove={({ limit, client }) => {
              api.send("DELETE", "overrides", { limit, client }).then(
                () => done(`${clientName(client).name} has the limit ${limit} of everybody again.`),
                (error: Error) => done(error.message, true),
              );
            }}
          />
        </div>
        <Decisions state={state} filter={filter} setFilter={setFilter} />
      </main>
      {tried !== undefined && <Threshold api={api} limit={tried} close={() => setTried(undefined)} />}
      {isTrying && <WhatIf api={api} clients={state.clients} tools={state.tools} close={() => setTrying(false)} />}
      <Notice notice={state.notice} close={() => store.change({ notice: undefined })} />
    </>
  );
}

function useStateOf(store: Store): State {
  const [state, setState] = useState(store.state);
  useEffect(() => store.subscribe(() => setState(store.state)), [store]);
  return state;
}
