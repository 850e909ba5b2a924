/** The page's entry. */
import { createKeenchatClient, localTokenStorage } from "@keenchat/client";
import { KeenchatProvider, localPendingStorage } from "@keenchat/client/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/door.css";
import "./styles/shell.css";
import "./styles/conversation.css";
import { App } from "./ui/app.tsx";

const root = document.getElementById("app");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <KeenchatProvider client={createKeenchatClient({ tokenStorage: localTokenStorage() })} pendingStorage={localPendingStorage()}>
        <App />
      </KeenchatProvider>
    </StrictMode>,
  );
}
