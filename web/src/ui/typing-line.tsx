/** Owns the line that says who types. It always has its place, so that nothing jumps. */
import { useChatState } from "./chat-context.tsx";

const nobody: readonly number[] = [];

function say(names: readonly string[]): string {
  if (names.length === 1) return `${names[0]} is typing`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing`;
  return "Several people are typing";
}

export function TypingLine({ channelId }: { channelId: number }) {
  const typing = useChatState((state) => state.typing.get(channelId) ?? nobody);
  const users = useChatState((state) => state.users);
  const names = typing.flatMap((id) => users.get(id) ?? []);
  return (
    <p className="typing" role="status">
      {names.length > 0 && (
        <>
          <span className="dots" aria-hidden="true">
            <i className="dot" />
            <i className="dot" />
            <i className="dot" />
          </span>
          {say(names)}
        </>
      )}
    </p>
  );
}
