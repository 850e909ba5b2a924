/** The page's entry. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Session } from "./chat/session.ts";
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
      <App session={new Session()} />
    </StrictMode>,
  );
}
