/** So many calls start in one turn of the event loop: others want to be heard as well. */
const STARTS_PER_TURN = 256;

/** Counts what is started in one turn of the event loop. */
export interface Turns {
  /** One more wants to start. True: not in this turn. */
  isOver(): boolean;
  /** Go on in the next turn. */
  goOn(callback: () => void): void;
}

export function turns(): Turns {
  let starts = 0;
  let isPending = false;
  return {
    isOver: () => isPending || ++starts > STARTS_PER_TURN,
    goOn(callback) {
      if (isPending) return;
      isPending = true;
      nextTurn(() => {
        isPending = false;
        starts = 0;
        callback();
      });
    },
  };
}

function nextTurn(callback: () => void): void {
  if (typeof setImmediate === "function") setImmediate(callback);
  else setTimeout(callback, 0);
}
