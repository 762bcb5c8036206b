// The state of the page in one object, and the components that render again when it changes.
import { useLayoutEffect, useReducer } from "./shared/preact.js";

export const state = {
  me: null,            // the current person, as in /api/state
  people: new Map(),   // all people, by id
  accounts: [],        // the assistants
  faults: { events: {}, calls: [] },
  limits: {},
  rules: {},
  chats: [],           // lines of the list, by last activity
  friends: [],
  requests: [],        // pending friend requests
  chat: null,          // id of the open chat
  detail: null,        // the open chat with its group or person
  messages: new Map(), // by chat: oldest first
  hasOlder: new Map(), // by chat: whether there may be older messages
  mentioned: new Set(),// chats in which somebody said @me and it is unread
  drafts: new Map(),   // by chat: content of the composer
  view: "chats",       // chats | contacts | tools: content of the narrow column (or of a phone)
  panel: null,         // "trace" or "faults": the panel next to the chat
  trace: [],
  watched: "",         // assistant whose trace is shown
  drawer: false,       // whether the details of the open chat are shown
  dialog: null,        // { kind, ... }
  live: "connecting",  // connecting | open | lost
  toast: null,         // { text, alert }
  token: "",           // join token from the URL
  ready: false,
};

const listeners = new Set();
let pending = false;

/** Change the state and render. */
export function update(changes) {
  Object.assign(state, changes);
  if (pending) return;
  pending = true;
  queueMicrotask(() => {
    pending = false;
    for (const listener of listeners) listener();
  });
}

/** Hook: the state; renders the component again at every change. */
export function useStore() {
  const [, redraw] = useReducer((count) => count + 1, 0);
  useLayoutEffect(() => { // an effect would run a frame later and miss the changes until then
    listeners.add(redraw);
    return () => listeners.delete(redraw);
  }, []);
  return state;
}

const NO_DRAFT = { text: "", files: [], mentions: new Map() };

/** What was entered in the composer of a chat: { text, files, mentions }; mentions are ids by the text that mentions them. */
export const draftOf = (chat) => state.drafts.get(chat) ?? NO_DRAFT;

/** Change the draft of a chat, without rendering; without changes, clear it. */
export function setDraft(chat, changes = NO_DRAFT) {
  state.drafts.set(chat, { ...draftOf(chat), ...changes });
}

let toastTimer = 0;

/** Show a toast; `alert` for errors. */
export function toast(text, alert = false) {
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => update({ toast: null }), alert ? 6000 : 2500);
  update({ toast: { text, alert } });
}

/** The remark of a person, if any. */
export function remarkOf(id) {
  return state.friends.find((friend) => friend.id === id)?.alias ?? "";
}

/** The displayed name of a person: the remark, else the nickname. */
export function nameOf(id) {
  return remarkOf(id) || state.people.get(id)?.name || id;
}
