/** Owns the icons: drawn on one grid of 20, with one stroke. */
import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      {children}
    </svg>
  );
}

export function Mark({ size = 28 }: { size?: number }) {
  return (
    <svg className="mark" viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <path className="mark-bubble" d="M7 3h18a5 5 0 0 1 5 5v11a5 5 0 0 1-5 5H14.5L6 30.5V24a5 5 0 0 1-4-5V8a5 5 0 0 1 5-5Z" />
      <path className="mark-letter" d="M11 8.5v10M20.5 8.5 13 13.5l7.5 5" />
    </svg>
  );
}

const icon = (path: string) =>
  function Drawn() {
    return (
      <Icon>
        <path d={path} />
      </Icon>
    );
  };

export const Plus = icon("M10 4v12M4 10h12");
export const Back = icon("M12 4 6 10l6 6");
export const Down = icon("M10 4v12M4.5 10.5 10 16l5.5-5.5");
export const Send = icon("M3.5 10 16.5 3.5 13 16.5l-3-5.5-6.5-1ZM10 11l6.5-7.5");
export const Pencil = icon("M4 16l.8-3.5L13 4.3l2.7 2.7-8.2 8.2L4 16Z");
export const Bin = icon("M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10M8.5 9v4M11.5 9v4");
export const People = icon(
  "M7.5 9.5a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4ZM2.5 16c0-2.5 2-4 5-4s5 1.5 5 4M13 4.4a2.5 2.5 0 0 1 0 4.8M14.5 12.2c2 .5 3 1.9 3 3.8",
);
export const Out = icon("M8 4H4.5v12H8M12 6.5 15.5 10 12 13.5M15 10H8");
export const Close = icon("M5 5l10 10M15 5 5 15");
export const Gear = icon("M3 6h8M15 6h2M3 14h2M9 14h8M11 4v4h4V4h-4ZM5 12v4h4v-4H5Z");
