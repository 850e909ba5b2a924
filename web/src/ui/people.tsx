/** Owns the list of who is in the open channel now. */
import { useConnection } from "@keenchat/client/react";
import { Avatar } from "./avatar.tsx";
import { People as PeopleIcon } from "./icons.tsx";
import { useHasRoomForPeople } from "./media.ts";
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

const panelId = "people";

/** Shown where the panel has no place of its own. */
export function PeopleButton({ count }: { count: number }) {
  return (
    <button
      type="button"
      className="icon-button people-button"
      aria-label={`People here: ${count}`}
      title="Who is here"
      popoverTarget={panelId}
    >
      <PeopleIcon />
      <span>{count}</span>
    </button>
  );
}

export function People({ here, selfId }: { here: readonly number[]; selfId: number }) {
  const isLive = useConnection() === "live";
  const hasRoom = useHasRoomForPeople();
  return (
    <aside className="people" id={panelId} popover={hasRoom ? undefined : "auto"} aria-label="Who is here">
      <h2>
        {isLive ? "Here now" : "Here when last seen"} <span>{here.length}</span>
      </h2>
      <ul>
        {here.map((id) => (
          <Person key={id} id={id} isSelf={id === selfId} />
        ))}
      </ul>
    </aside>
  );
}
