/** Owns what the page shows: the door, the chat, or the transition between them. */
import { useChannel, useChannels, useKeenchat, useMessages, useSession } from "@keenchat/client/react";
import { useEffect, useState } from "react";
import { Kept } from "../chat/kept.ts";
import { sayError } from "../chat/words.ts";
import { Mark } from "./icons.tsx";
import { useRoute } from "./route.ts";
import { Shell } from "./shell.tsx";
import { SignIn } from "./sign-in.tsx";
import { sayTime } from "./times.ts";

/** Whether the session ended in the middle of something. */
function useIsCutOff(): boolean {
  const client = useKeenchat();
  const [isCutOff, setIsCutOff] = useState(false);
  useEffect(() => client.token.subscribe((token) => setIsCutOff(token === null)), [client]);
  return isCutOff;
}

/** Reads the data that the chat will show, while the server confirms the session. */
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

/** `onSignedOut`: the user has ended the session, and none of its data may stay. */
export function App({ onSignedOut }: { onSignedOut: () => void }) {
  const client = useKeenchat();
  const { status, self, error } = useSession();
  const isCutOff = useIsCutOff();
  if (status === "signed out") return <SignIn isCutOff={isCutOff} />;
  if (status === "opening") return <Opening problem={error && sayError(error)} />;
  async function signOut(userId: number) {
    await client.auth.logout();
    new Kept(userId).forget();
    onSignedOut();
  }
  return <Shell key={self.user_id} self={self} onSignOut={() => signOut(self.user_id)} />;
}
