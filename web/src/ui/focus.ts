/** Owns where the focus goes when its element leaves the page or a layer closes. The focus is never lost. */

/** Where a person goes on, best first. */
const places = ["dialog[open] .button", "#composer", "#title", ".channel[aria-current]", ".channel", "main input", "main button"];
const focusable = "a, button, input, textarea, [tabindex]";
const isTouched = matchMedia("(pointer: coarse)");

function isPlace(element: Element): element is HTMLElement {
  // On a touch screen, focus in the message box opens a keyboard over half of the messages.
  return element instanceof HTMLElement && element.checkVisibility() && !(isTouched.matches && element.id === "composer");
}

/** Moves the focus to the first place that exists; a dialog keeps it. */
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
  // Safari does not focus a clicked button, and a click on the background should focus nothing.
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
