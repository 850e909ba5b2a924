/** Owns what forms have in common: sending once, and each problem at its field, for every reader. */
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { noProblems, sayProblems } from "../chat/words.ts";

interface FormOptions {
  /** The names of its fields, as the server has them. */
  readonly fields: readonly string[];
  readonly act: () => Promise<unknown>;
  /** The field that a refusal is about where the server names none. */
  readonly blame?: (error: unknown) => string | undefined;
}

/** Where it is refused, the first field with a problem gets the keyboard. */
export function useForm({ fields, act, blame }: FormOptions) {
  const form = useRef<HTMLFormElement>(null);
  const [isBusy, setIsBusy] = useState(false);
  const [problems, setProblems] = useState(noProblems);
  // biome-ignore lint/correctness/useExhaustiveDependencies: with each new answer of the server.
  useEffect(() => form.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus(), [problems]);

  async function onSubmit(event: FormEvent) {
    event.preventDefault();
    if (isBusy) return;
    setIsBusy(true);
    setProblems(noProblems);
    try {
      await act();
    } catch (error) {
      setProblems(sayProblems(error, fields, blame?.(error)));
    } finally {
      setIsBusy(false);
    }
  }

  return { form, isBusy, problems, onSubmit, clear: () => setProblems(noProblems) };
}

interface FieldProps {
  label: string;
  hint?: string | undefined;
  problem: string | undefined;
  /** The field itself, an input or a textarea, with what ties it to the rest. */
  children: (own: { id: string; className: string; "aria-invalid": true | undefined; "aria-describedby": string | undefined }) => ReactNode;
}

export function Field({ label, hint, problem, children }: FieldProps) {
  const id = useId();
  // A problem says what to do, and so it stands instead of the hint.
  const note = problem ?? hint;
  return (
    <>
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        className: "field",
        "aria-invalid": problem !== undefined || undefined,
        "aria-describedby": note === undefined ? undefined : `${id}-note`,
      })}
      {note !== undefined && (
        <p
          className={problem === undefined ? "hint" : "field-problem"}
          id={`${id}-note`}
          role={problem === undefined ? undefined : "alert"}
        >
          {note}
        </p>
      )}
    </>
  );
}

export function FormProblem({ problem }: { problem: string | undefined }) {
  if (problem === undefined) return null;
  return (
    <p className="problem" role="alert">
      {problem}
    </p>
  );
}
