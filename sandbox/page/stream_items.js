// Handlers of the items of the event stream.
import { loadChats, loadDetail, loadFriends, loadWorld, receive, setLine } from "./load.js";
import { markRead, tryTo } from "./actions.js";
import { nameOf, state, toast, update } from "./store.js";

const TRACE_KEPT = 500;

/** Handle one item of the stream. */
export function handleItem(item) {
  HANDLERS[item.type]?.(item);
}

const HANDLERS = {
  message: ({ chat, message, line }) => {
    receive(chat, message);
    setLine(chat, line);
    if (isRead(chat)) tryTo(() => markRead(chat));
    else if (!message.mine && message.mentions?.includes(state.me.id)) state.mentioned.add(chat);
    if (message.kind === "note" || message.kind === "confirmation") soon(loadDetail);
  },
  room: ({ id }) => {
    if (id === state.chat) soon(loadDetail);
    soon(loadChats);
  },
  left: ({ room, by }) => {
    setLine(room, null);
    if (room === state.chat) update({ detail: state.detail && { ...state.detail, gone: true }, drawer: false });
    soon(loadDetail); // an answer on its way may be older
    if (by !== state.me.id) toast("你被移出了群聊");
  },
  friend_request: ({ from, hello }) => {
    toast(`${nameOf(from)} 请求添加你为朋友${hello ? `：${hello}` : ""}`);
    soon(loadFriends);
  },
  friend: () => { soon(loadFriends); soon(loadChats); soon(loadDetail); },
  friend_gone: () => { soon(loadFriends); soon(loadDetail); },
  person: () => { soon(loadWorld); soon(loadChats); soon(loadFriends); soon(loadDetail); },
  account: () => soon(loadWorld),
  switches: () => soon(loadWorld),
  trace: (item) => {
    if (item.account !== state.watched) return;
    if (state.trace.some((entry) => entry.n === item.n)) return;
    update({ trace: [...state.trace, item].slice(-TRACE_KEPT) });
  },
};

/** Whether a chat is open and the page is visible. */
export function isRead(chat) {
  return chat === state.chat && !document.hidden;
}

const waiting = new Set();

/** Run a function once for all calls within the same task. */
function soon(load) {
  if (waiting.has(load)) return;
  waiting.add(load);
  setTimeout(() => {
    waiting.delete(load);
    tryTo(load);
  }, 40);
}
