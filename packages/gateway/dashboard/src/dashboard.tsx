import { useEffect, useMemo, useState } from "preact/hooks";
import { ApiError, apiWith } from "./api.ts";
import { follow } from "./follow.ts";
import { Notice } from "./notice.tsx";
import { refreshing } from "./refresh.ts";
import { createStore, type State, type Store } from "./state.ts";
import { StatusBar } from "./status-bar.tsx";
import { Tiles } from "./tiles.tsx";
import { Timeline } from "./timeline.tsx";

interface DashboardProps {
  readonly token: string;
  leave(reason: string): void;
}

/** The page of who is signed in. */
export function Dashboard({ token, leave }: DashboardProps) {
  const api = useMemo(() => apiWith(token), [token]);
  const store = useMemo(createStore, []);
  const state = useStateOf(store);

  useEffect(() => {
    const end = new AbortController();
    const tables = refreshing(api, store);
    follow(api, store, end.signal).catch((error: unknown) => {
      leave(error instanceof ApiError ? error.message : String(error));
    });
    return () => {
      end.abort();
      tables.end();
    };
  }, [api]);

  return (
    <>
      <StatusBar state={state} leave={() => leave("")} />
      <main class="panels">
        <Tiles state={state} />
        <Timeline seconds={state.seconds} clockAheadMs={state.clockAheadMs} />
      </main>
      <Notice notice={state.notice} close={() => store.change({ notice: undefined })} />
    </>
  );
}

function useStateOf(store: Store): State {
  const [state, setState] = useState(store.state);
  useEffect(() => store.subscribe(() => setState(store.state)), [store]);
  return state;
}
