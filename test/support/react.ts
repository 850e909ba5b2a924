/** Hooks in a real React, on a document without a browser. */
import { Window } from "happy-dom";
import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import type { KeenchatClient } from "../../client/src/client.ts";
import { KeenchatProvider, type KeenchatProviderProps } from "../../client/src/react.ts";
import { Inbox } from "./wait.ts";

const window = new Window();
Object.assign(globalThis, { window, document: window.document });

export interface RenderedHook<Value> {
  /** What each rendering got from the hook. */
  readonly values: Inbox<Value>;
  readonly current: Value;
  unmount(): void;
}

/** Shows a component that does nothing but use a hook, as strictly as React can. */
export function renderHook<Value>(
  keenchat: KeenchatClient,
  useHook: () => Value,
  props: Pick<KeenchatProviderProps, "pendingStorage"> = {},
): RenderedHook<Value> {
  const values = new Inbox<Value>();
  function Probe() {
    values.push(useHook());
    return null;
  }
  const root = createRoot(window.document.createElement("div") as unknown as Element);
  root.render(createElement(StrictMode, null, createElement(KeenchatProvider, { ...props, client: keenchat }, createElement(Probe))));
  return {
    values,
    get current() {
      return values.items.at(-1) as Value;
    },
    unmount: () => root.unmount(),
  };
}
