/** Owns where the keyboard goes on when the element that had it leaves the page, or a layer closes. It is never nowhere. */

/** Where a person goes on, best first. */
const places = ["dialog[open] .button", "#composer", "#title", ".channel[aria-current]", ".channel", "main input", "main button"];
const focusable = "a, button, input, textarea, [tabindex]";
const isTouched = matchMedia("(pointer: coarse)");

function isPlace(element: Element): element is HTMLElement {
  // On a touch screen the message box brings its keyboard over half of what one reads.
  return element instanceof HTMLElement && element.checkVisibility() && !(isTouched.matches && element.id === "composer");
}

/** Gives the keyboard to the first place there is; a dialog keeps it. */
export function focusPlace(): void {
  if (document.activeElement?.closest("dialog[open]")) return;
  for (const place of places) {
    const element = [...document.querySelectorAll(place)].find(isPlace);
    element?.focus();
    if (element && element === document.activeElement) return;
  }
}

/** With nothing, or with what only scripts and presses reach. */
const isNowhere = () => document.activeElement?.matches("body, [tabindex='-1']") ?? true;

/** Watches the page for good. */
export function followFocus(): void {
  let last: Element | null = null;
  document.addEventListener("focusin", ({ target }) => {
    last = target instanceof Element ? target : null;
  });
  // Safari gives no focus to a pressed button; and a person who presses on nothing wants it nowhere.
  document.addEventListener("pointerdown", ({ target }) => {
    last = target instanceof Element ? target.closest(focusable) : null;
  });
  new MutationObserver(() => {
    if (last?.isConnected !== false || !isNowhere()) return;
    last = null;
    focusPlace();
  }).observe(document.body, { childList: true, subtree: true });
  // A press outside closes a popover, and lands on nothing.
  const onToggle = ({ target, newState }: ToggleEvent) => {
    if (newState !== "closed" || !isNowhere() || !(target instanceof Element)) return;
    document.querySelector<HTMLElement>(`[popovertarget="${CSS.escape(target.id)}"]`)?.focus();
  };
  document.addEventListener("toggle", onToggle, { capture: true });
}
