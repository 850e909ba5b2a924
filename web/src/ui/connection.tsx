/** Owns how the connection is shown: a word in the head, a notice when something is wrong, and a drawer with details. */
import type { ConnectionState } from "@keenchat/client";
import { useConnection, useKeenchat } from "@keenchat/client/react";
import type { Wire } from "../chat/wire.ts";
import { Close } from "./icons.tsx";

const words: Readonly<Record<ConnectionState, string>> = {
  idle: "Idle",
  connecting: "Connecting",
  "catching up": "Catching up",
  live: "Live",
  offline: "Offline",
};

const drawerId = "connection";

export function ConnectionBadge() {
  const connection = useConnection();
  return (
    <button
      type="button"
      className="badge"
      data-state={connection}
      aria-label={`Connection: ${words[connection]}`}
      title="Connection"
      popoverTarget={drawerId}
    >
      <span className="badge-words" aria-hidden="true">
        {Object.values(words).map((word) => (
          <span key={word} data-current={word === words[connection] || undefined}>
            {word}
          </span>
        ))}
      </span>
      <i className="badge-light" aria-hidden="true" />
    </button>
  );
}

export function ConnectionNotice() {
  const client = useKeenchat();
  const connection = useConnection();
  if (connection === "live" || connection === "idle") return <div className="notice-place" role="status" />;
  return (
    <div className="notice-place" role="status">
      <div className="notice" data-state={connection}>
        {connection === "offline" ? (
          <>
            <p>The server cannot be reached. What you send is kept, and will be sent when it is back.</p>
            <button type="button" className="button small" onClick={() => client.connection.reconnect()}>
              Try now
            </button>
          </>
        ) : (
          <p>{connection === "connecting" ? "Connecting…" : "Catching up with what you missed…"}</p>
        )}
      </div>
    </div>
  );
}

export function ConnectionDrawer({ wire }: { wire: Wire }) {
  const client = useKeenchat();
  const connection = useConnection();
  return (
    <section className="drawer" id={drawerId} popover="auto" aria-label="Connection details">
      <h2>Connection</h2>
      <button type="button" className="icon-button" aria-label="Close" popoverTarget={drawerId} popoverTargetAction="hide">
        <Close />
      </button>
      <dl>
        <dt>State</dt>
        <dd>{words[connection]}</dd>
        <dt>Wire</dt>
        <dd>tRPC over WebSocket</dd>
        <dt>Cursor</dt>
        <dd>
          <code>{wire.cursor ?? "none yet"}</code>
        </dd>
        <dt>Replayed last</dt>
        <dd>{wire.replayed === 1 ? "1 event" : `${wire.replayed} events`}</dd>
        <dt>Connections</dt>
        <dd>{wire.connections}</dd>
      </dl>
      <button type="button" className="button small" onClick={() => client.connection.reconnect()}>
        Drop my connection
      </button>
    </section>
  );
}
