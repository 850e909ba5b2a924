/** Owns the one kind of dialog: modal, closed by Escape, with an answer to what went wrong. */
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { sayError } from "../chat/words.ts";

export interface DialogProps {
  title: string;
  /** What the button does, in the words of the person. */
  action: string;
  danger?: boolean;
  /** Rejects where it could not be done; the dialog stays open and says why. */
  onAction: () => Promise<unknown>;
  onClose: () => void;
  children: ReactNode;
}

export function Dialog({ title, action, danger = false, onAction, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  useEffect(() => dialog.current?.showModal(), []);

  async function act(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await onAction();
      onClose();
    } catch (error) {
      setProblem(sayError(error));
      setBusy(false);
    }
  }

  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={heading} onClose={onClose}>
      <form onSubmit={act}>
        <h2 id={heading}>{title}</h2>
        {children}
        {problem !== undefined && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className={danger ? "button danger" : "button primary"} disabled={busy}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
