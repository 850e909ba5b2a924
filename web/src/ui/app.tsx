/** Owns what the page shows at all: the door, the chat, or the way between them. */
import { useChannel, useChannels, useKeenchat, useMessages, useSession } from "@keenchat/client/react";
import { useCallback, useEffect, useRef, useState } from "react";
import { sayError } from "../chat/words.ts";
import { Mark } from "./icons.tsx";
import { useRoute } from "./route.ts";
import { Shell } from "./shell.tsx";
import { SignIn } from "./sign-in.tsx";
import { sayTime } from "./times.ts";

/** Whether the session ended without being asked to, and the way to ask. */
function useSignOut(): [boolean, () => Promise<void>] {
  const client = useKeenchat();
  const [isCutOff, setIsCutOff] = useState(false);
  const isAsked = useRef(false);
  useEffect(() => client.token.subscribe((token) => setIsCutOff(token === null && !isAsked.current)), [client]);
  const signOut = useCallback(async () => {
    isAsked.current = true;
    try {
      await client.auth.logout();
    } finally {
      isAsked.current = false;
    }
  }, [client]);
  return [isCutOff, signOut];
}

/** Reads what the chat is about to show, while the server still says who is here. */
function ChannelAhead({ id }: { id: number }) {
  useChannel(id);
  useMessages(id);
  return null;
}

function Opening({ problem }: { problem: string | undefined }) {
  const route = useRoute();
  useChannels();
  // While the server answers there is time for what the first message needs.
  useEffect(() => void setTimeout(() => sayTime(0)), []);
  return (
    <main className="opening" aria-busy="true">
      <Mark size={44} />
      <p role="status">{problem === undefined ? "Opening…" : `${problem} This page keeps trying.`}</p>
      {route !== undefined && <ChannelAhead id={route} />}
    </main>
  );
}

export function App() {
  const { status, self, error } = useSession();
  const [isCutOff, signOut] = useSignOut();
  if (status === "signed out") return <SignIn isCutOff={isCutOff} />;
  if (status === "signed in") return <Shell key={self.user_id} self={self} onSignOut={signOut} />;
  return <Opening problem={error && sayError(error)} />;
}
