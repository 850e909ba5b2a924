/** Owns the line that says who types. It always has its place, so that nothing jumps. */
import { Name } from "./name.ts";

function Words({ users: [first, second, third] }: { users: readonly number[] }) {
  if (third !== undefined) return "Several people are typing";
  return (
    <>
      {first !== undefined && <Name id={first} />}
      {second === undefined ? (
        " is typing"
      ) : (
        <>
          {" and "}
          <Name id={second} /> are typing
        </>
      )}
    </>
  );
}

export function TypingLine({ users }: { users: readonly number[] }) {
  return (
    <p className="typing" role="status">
      {users.length > 0 && (
        <>
          <span className="dots" aria-hidden="true">
            <i className="dot" />
            <i className="dot" />
            <i className="dot" />
          </span>
          <Words users={users} />
        </>
      )}
    </p>
  );
}
