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

const root = document.getElementById("app");
if (root) {
  const page = (
    <StrictMode>
      <KeenchatProvider client={createKeenchatClient({ tokenStorage: localTokenStorage() })} pendingStorage={localPendingStorage()}>
        <App />
      </KeenchatProvider>
    </StrictMode>
  );
  // At once: what it asks of the server is on its way before it is painted.
  flushSync(() => createRoot(root).render(page));
}
