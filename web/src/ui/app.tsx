/** Owns what the page shows at all: the door, the chat, or the way between them. */
import type { Session } from "../chat/session.ts";
import { useStore } from "../chat/store.ts";
import { ChatProvider } from "./chat-context.tsx";
import { Mark } from "./icons.tsx";
import { Shell } from "./shell.tsx";
import { SignIn } from "./sign-in.tsx";

export function App({ session }: { session: Session }) {
  const { phase, chat, problem } = useStore(session.store, (state) => state.session);
  if (phase === "signed out") return <SignIn session={session} note={problem} />;
  if (phase === "signed in") {
    return (
      <ChatProvider value={chat}>
        <Shell key={chat.store.get().self.user_id} onSignOut={() => session.signOut()} />
      </ChatProvider>
    );
  }
  return (
    <main className="opening" aria-busy="true">
      <Mark size={44} />
      <p role="status">{problem === undefined ? "Opening…" : `${problem} This page keeps trying.`}</p>
    </main>
  );
}
