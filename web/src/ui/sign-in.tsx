/** Owns the door: signing in and, where the server lets everybody, signing up. */
import { KeenchatError } from "@keenchat/client";
import { useKeenchat } from "@keenchat/client/react";
import { useEffect, useRef, useState } from "react";
import { focusPlace } from "./focus.ts";
import { Field, FormProblem, useForm } from "./form.tsx";
import { Mark } from "./icons.tsx";

type Way = "in" | "up";

/** The server writes into the page what the door has to know before a user is signed in. */
const isSignUpOpen = document.querySelector<HTMLMetaElement>("meta[name=sign-up]")?.content !== "closed";

/** `isCutOff`: the session ended without a sign-out. */
export function SignIn({ isCutOff }: { isCutOff: boolean }) {
  const client = useKeenchat();
  const [way, setWay] = useState<Way>("in");
  const username = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const known = way === "in";

  async function enter() {
    const given = { username: username.current?.value ?? "", password: password.current?.value ?? "" };
    if (!known) await client.user.post(given);
    await client.auth.login(given);
  }

  function blame(error: unknown): string | undefined {
    if (!(error instanceof KeenchatError)) return undefined;
    if (error.code === "CONFLICT") return "username";
    return known && error.code === "UNAUTHORIZED" ? "password" : undefined;
  }

  const { form, isBusy, problems, onSubmit, clear } = useForm({ fields: ["username", "password"], act: enter, blame });
  useEffect(focusPlace, []);

  function choose(next: Way) {
    setWay(next);
    clear();
    username.current?.focus();
  }

  return (
    <main className="door">
      <div className="door-brand">
        <Mark size={40} />
        <h1>Keenchat</h1>
        <p>
          The conversation at <b>{location.host}</b>
        </p>
      </div>
      <form ref={form} className="door-form" onSubmit={onSubmit} noValidate>
        <h2>{known ? "Sign in" : "Create an account"}</h2>
        {isCutOff && (
          <p className="note" role="status">
            You are signed out. Sign in to go on; what you wrote is kept.
          </p>
        )}
        <Field label="Name" hint={known ? undefined : "Letters, digits, - and _; a letter first."} problem={problems.fields["username"]}>
          {(own) => <input {...own} ref={username} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} />}
        </Field>
        <Field label="Password" hint={known ? undefined : "8 characters or more."} problem={problems.fields["password"]}>
          {(own) => (
            <input {...own} ref={password} name="password" type="password" autoComplete={known ? "current-password" : "new-password"} />
          )}
        </Field>
        <FormProblem problem={problems.form} />
        <button type="submit" className="button primary wide" aria-disabled={isBusy}>
          {known ? "Sign in" : "Create account"}
        </button>
        {isSignUpOpen && (
          <p className="door-other">
            {known ? "New here?" : "Been here before?"}{" "}
            <button type="button" className="link" onClick={() => choose(known ? "up" : "in")}>
              {known ? "Create an account" : "Sign in"}
            </button>
          </p>
        )}
      </form>
    </main>
  );
}
