/** The page's entry. */
import { createKeenchatClient, localTokenStorage } from "@keenchat/client";
import { KeenchatProvider, localPendingStorage } from "@keenchat/client/react";
import { StrictMode } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/door.css";
import "./styles/shell.css";
import "./styles/conversation.css";
import { App } from "./ui/app.tsx";

/** The page stands where the server does: below a path, where a proxy puts one before it. */
const server = new URL(".", location.href);
/** Servers below other paths of one host are other servers. */
const tokenStorage = localTokenStorage(server.pathname === "/" ? undefined : `keenchat.token ${server.pathname}`);

const root = document.getElementById("app");
if (root) {
  const page = (
    <StrictMode>
      <KeenchatProvider client={createKeenchatClient({ url: server.href, tokenStorage })} pendingStorage={localPendingStorage()}>
        <App />
      </KeenchatProvider>
    </StrictMode>
  );
  // At once: what it asks of the server is on its way before it is painted.
  flushSync(() => createRoot(root).render(page));
}
