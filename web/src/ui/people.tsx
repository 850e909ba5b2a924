/** Owns the list of who is in the open channel now. */
import { useConnection } from "@keenchat/client/react";
import { Avatar } from "./avatar.tsx";
import { useName } from "./name.ts";

function Person({ id, isSelf }: { id: number; isSelf: boolean }) {
  const name = useName(id);
  return (
    <li>
      <Avatar id={id} name={name} size="small" />
      <span className="people-name">{name ?? "…"}</span>
      {isSelf && name !== undefined && <span className="people-you">you</span>}
    </li>
  );
}

export function People({ here, selfId }: { here: readonly number[]; selfId: number }) {
  const isLive = useConnection() === "live";
  return (
    <aside className="people" id="people" aria-label="Who is here">
      <h2>
        {isLive ? "Here now" : "Here when last heard"} <span>{here.length}</span>
      </h2>
      <ul>
        {here.map((id) => (
          <Person key={id} id={id} isSelf={id === selfId} />
        ))}
      </ul>
    </aside>
  );
}
