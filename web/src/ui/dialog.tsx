/** Owns the one kind of dialog: modal, closed by Escape or a press outside, with an answer to what went wrong. */
import { type ReactNode, useEffectEvent, useId, useLayoutEffect, useRef } from "react";
import type { Problems } from "../chat/words.ts";
import { FormProblem, useForm } from "./form.tsx";

export interface DialogProps {
  title: string;
  /** The button's label, as the user would say it. */
  action: string;
  danger?: boolean;
  fields?: readonly string[];
  /** Rejects where it could not be done; the dialog stays open and says why. */
  onAction: () => Promise<unknown>;
  onClose: () => void;
  children: (problems: Problems["fields"]) => ReactNode;
}

export function Dialog({ title, action, danger = false, fields = [], onAction, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const onClosed = useEffectEvent(onClose);
  const act = async () => {
    await onAction();
    onClose();
  };
  const { form, isBusy, problems, onSubmit } = useForm({ fields, act });

  // While the dialog is still in the page, because closing returns the focus to the element that had it before.
  useLayoutEffect(() => {
    const { current } = dialog;
    const listener = () => onClosed();
    current?.showModal();
    current?.addEventListener("close", listener);
    return () => {
      current?.removeEventListener("close", listener);
      current?.close();
    };
  }, []);

  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={heading} closedby="any">
      <form ref={form} onSubmit={onSubmit} noValidate>
        <h2 id={heading}>{title}</h2>
        {children(problems.fields)}
        <FormProblem problem={problems.form} />
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className={danger ? "button danger" : "button primary"} aria-disabled={isBusy}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
