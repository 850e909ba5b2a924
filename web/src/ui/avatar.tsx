/** Owns the avatar of a user: two letters on a colour that never changes. */
import type { CSSProperties } from "react";

/** Neighbouring ids far apart on the wheel. */
const goldenAngle = 137.508;

export function Avatar({ id, name = "", size = "normal" }: { id: number; name?: string | undefined; size?: "normal" | "small" }) {
  const style = { "--hue": Math.round(id * goldenAngle) % 360 } as CSSProperties;
  return (
    <span className={`avatar ${size}`} style={style} aria-hidden="true">
      {name.slice(0, 2)}
    </span>
  );
}
