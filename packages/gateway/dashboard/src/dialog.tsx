import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

interface DialogProps {
  readonly title: string;
  /** What the button does that does it. */
  readonly action: string;
  readonly isDangerous?: boolean;
  readonly canAct?: boolean;
  readonly isWide?: boolean;
  /** It is done again and again, and changes nothing. */
  readonly staysOpen?: boolean;
  /** Does it. What it throws is shown, and the dialog stays. */
  act(): Promise<void>;
  close(): void;
  readonly children: ComponentChildren;
}

/** Asks before something is changed, or what is to be looked up. The browser keeps the focus inside and brings it back; Escape closes. */
export function Dialog(props: DialogProps) {
  const { title, action, isDangerous = false, canAct = true, isWide = false, staysOpen = false } = props;
  const { act, close, children } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  useEffect(() => dialog.current!.showModal(), []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    setBusy(true);
    try {
      await act();
      setProblem("");
      if (staysOpen) setBusy(false);
      else dialog.current?.close();
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  }

  return (
    <dialog ref={dialog} class={isWide ? "wide" : undefined} aria-labelledby={id} onClose={close}>
      <form onSubmit={submit}>
        <h2 id={id}>{title}</h2>
        {children}
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            {staysOpen ? "Close" : "Cancel"}
          </button>
          <button type="submit" class={isDangerous ? "danger" : "primary"} disabled={isBusy || !canAct}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
