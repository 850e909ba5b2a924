/** The page's entry: one client for each session, so that no data of a session stays in memory after it. */
import { createKeenchatClient, localTokenStorage } from "@keenchat/client";
import { KeenchatProvider, localPendingStorage } from "@keenchat/client/react";
import { StrictMode, useState } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/door.css";
import "./styles/shell.css";
import "./styles/conversation.css";
import { pendingPrefix } from "./chat/kept.ts";
import { keyPrefix, server } from "./chat/server.ts";
import { App } from "./ui/app.tsx";
import { followFocus } from "./ui/focus.ts";

const createClient = () => createKeenchatClient({ url: server.href, tokenStorage: localTokenStorage(`${keyPrefix}.token`) });
const pendingStorage = localPendingStorage(pendingPrefix);

function Page() {
  const [{ client, count }, setSession] = useState(() => ({ client: createClient(), count: 0 }));
  function startAgain() {
    client.close();
    setSession({ client: createClient(), count: count + 1 });
  }
  return (
    <KeenchatProvider key={count} client={client} pendingStorage={pendingStorage}>
      <App onSignedOut={startAgain} />
    </KeenchatProvider>
  );
}

const root = document.getElementById("app");
if (root) {
  followFocus();
  const page = (
    <StrictMode>
      <Page />
    </StrictMode>
  );
  // At once, so that its requests are sent before the first paint.
  flushSync(() => createRoot(root).render(page));
}
