// What the page knows, in one object, and who is drawn again when it changes.
import { useEffect, useReducer } from "./vendor/preact.js";

export const state = {
  me: null,            // who one is, as /api/state tells people
  people: new Map(),   // everybody, by id
  accounts: [],        // the assistants
  faults: { events: {}, calls: [] },
  limits: {},
  rules: {},
  chats: [],           // lines of the list, the liveliest first
  friends: [],
  requests: [],        // friend requests that wait for an answer
  chat: null,          // id of the open chat
  detail: null,        // the open chat with its group or person
  messages: new Map(), // by chat: oldest first
  hasOlder: new Map(), // by chat: whether there may be older ones
  mentioned: new Set(),// chats in which somebody said @me and it is unread
  drafts: new Map(),   // by chat: what stands in its composer
  view: "chats",       // chats | contacts | tools: what the narrow column (or a phone) shows
  panel: null,         // trace | faults: what stands beside the chat
  trace: [],
  watched: "",         // the assistant whose trace is shown
  drawer: false,       // the open chat's details
  dialog: null,        // { kind, ... }
  live: "connecting",  // connecting | open | lost
  toast: null,         // { text, alert }
  token: "",           // a join token that came with the address
  ready: false,
};

const listeners = new Set();
let pending = false;

/** Change something and have it drawn. */
export function update(changes) {
  Object.assign(state, changes);
  if (pending) return;
  pending = true;
  queueMicrotask(() => {
    pending = false;
    for (const listener of listeners) listener();
  });
}

/** The state, for a component that is to be drawn again with every change. */
export function useStore() {
  const [, redraw] = useReducer((count) => count + 1, 0);
  useEffect(() => {
    listeners.add(redraw);
    return () => listeners.delete(redraw);
  }, []);
  return state;
}

let toastTimer = 0;

/** Say something in passing; `alert` for what went wrong. */
export function toast(text, alert = false) {
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => update({ toast: null }), alert ? 6000 : 2500);
  update({ toast: { text, alert } });
}

/** The remark one gave somebody, if any. */
export function remarkOf(id) {
  return state.friends.find((one) => one.id === id)?.alias ?? "";
}

/** What somebody is called here: the remark, else the nickname. */
export function nameOf(id) {
  return remarkOf(id) || state.people.get(id)?.name || id;
}
