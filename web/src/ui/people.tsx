/** Owns the list of who is in the open channel now. */
import { Avatar } from "./avatar.tsx";
import { useChatState } from "./chat-context.tsx";

export function People() {
  const here = useChatState((state) => state.here);
  const users = useChatState((state) => state.users);
  const isLive = useChatState((state) => state.connection === "live");
  const self = useChatState((state) => state.self);
  return (
    <aside className="people" id="people" aria-label="Who is here">
      <h2>
        {isLive ? "Here now" : "Here when last heard"} <span>{here.length}</span>
      </h2>
      <ul>
        {here.map((id) => {
          const name = users.get(id) ?? "…";
          return (
            <li key={id}>
              <Avatar id={id} name={name} size="small" />
              <span className="people-name">{name}</span>
              {id === self.user_id && <span className="people-you">you</span>}
            </li>
          );
        })}
      </ul>
    </aside>
  );
}
