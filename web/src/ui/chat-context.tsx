/** Owns how components reach the chat they show. */
import { createContext, useContext } from "react";
import type { Chat } from "../chat/chat.ts";
import type { State } from "../chat/state.ts";
import { useStore } from "../chat/store.ts";

const Context = createContext<Chat | undefined>(undefined);
export const ChatProvider = Context.Provider;

export function useChat(): Chat {
  const chat = useContext(Context);
  if (!chat) throw new Error("There is no chat outside of ChatProvider.");
  return chat;
}

export function useChatState<Picked>(select: (state: State) => Picked): Picked {
  return useStore(useChat().store, select);
}
