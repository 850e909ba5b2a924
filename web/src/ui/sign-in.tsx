/** Owns the door: signing in and signing up. */
import { useKeenchat } from "@keenchat/client/react";
import { type FormEvent, useId, useRef, useState } from "react";
import { sayError } from "../chat/words.ts";
import { Mark } from "./icons.tsx";

type Way = "in" | "up";

/** `isCutOff`: the session ended by itself, in the middle of something. */
export function SignIn({ isCutOff }: { isCutOff: boolean }) {
  const client = useKeenchat();
  const [way, setWay] = useState<Way>("in");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const form = useRef<HTMLFormElement>(null);
  const id = useId();

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const names = { username: String(data.get("username")), password: String(data.get("password")) };
    setBusy(true);
    setProblem(undefined);
    try {
      if (way === "up") await client.user.post(names);
      await client.auth.login(names);
    } catch (error) {
      setProblem(sayError(error));
      setBusy(false);
    }
  }

  function choose(next: Way) {
    setWay(next);
    setProblem(undefined);
    form.current?.querySelector("input")?.focus();
  }

  const known = way === "in";
  return (
    <main className="door">
      <div className="door-brand">
        <Mark size={40} />
        <h1>Keenchat</h1>
        <p>
          The conversation at <b>{location.host}</b>
        </p>
      </div>
      <form ref={form} className="door-form" onSubmit={submit}>
        <h2>{known ? "Sign in" : "Make an account"}</h2>
        {isCutOff && problem === undefined && (
          <p className="note" role="status">
            You are signed out. Sign in to go on; what you wrote is kept.
          </p>
        )}
        <label htmlFor={`${id}-name`}>Name</label>
        <input
          id={`${id}-name`}
          name="username"
          className="field"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          minLength={2}
          maxLength={64}
          aria-describedby={known ? undefined : `${id}-name-hint`}
        />
        {!known && (
          <p className="hint" id={`${id}-name-hint`}>
            Letters, digits, - and _; a letter first.
          </p>
        )}
        <label htmlFor={`${id}-password`}>Password</label>
        <input
          id={`${id}-password`}
          name="password"
          type="password"
          className="field"
          autoComplete={known ? "current-password" : "new-password"}
          required
          aria-describedby={known ? undefined : `${id}-password-hint`}
        />
        {!known && (
          <p className="hint" id={`${id}-password-hint`}>
            8 characters or more.
          </p>
        )}
        {problem !== undefined && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" className="button primary wide" disabled={busy}>
          {known ? "Sign in" : "Sign up"}
        </button>
        <p className="door-other">
          {known ? "New here?" : "Been here before?"}{" "}
          <button type="button" className="link" onClick={() => choose(known ? "up" : "in")}>
            {known ? "Make an account" : "Sign in"}
          </button>
        </p>
      </form>
    </main>
  );
}
