// Actions of the current person.
import { api, personPath } from "./api.js";
import { loadChats, loadDetail, loadFriends, loadMessages, loadTrace, loadWorld, put, receive, setLine } from "./load.js";
import { state, toast, update } from "./store.js";

/** Run an action and show its error, if any. Returns whether it succeeded. */
export async function tryTo(action) {
  try {
    await action();
    return true;
  } catch (error) {
    toast(error.message, true);
    return false;
  }
}

const queues = new Map(); // by name: the last action

/** Run an action after the earlier ones with the same name, because parallel requests may arrive in any order. */
function inTurn(name, action) {
  const result = (queues.get(name) ?? Promise.resolve()).then(action);
  queues.set(name, result.catch(() => undefined));
  return result;
}

const ownPath = (...parts) => personPath(state.me.id, ...parts);

/** Store the person and the open chat in the URL. */
function updateUrl(push) {
  const query = new URLSearchParams();
  if (state.me) query.set("as", state.me.id);
  if (state.chat) query.set("chat", state.chat);
  if (state.token) query.set("token", state.token);
  const url = `/${query.size ? `?${query}` : ""}`;
  if (url !== location.pathname + location.search) history[push ? "pushState" : "replaceState"](null, "", url);
}

/** Open a chat; null closes the open one. `push` adds an entry to the browser history. */
export async function openChat(chat, push = true) {
  const view = chat ? "chats" : state.view;
  update({ chat, view, drawer: false, dialog: null, detail: state.detail?.id === chat ? state.detail : null });
  updateUrl(push);
  if (!chat) return;
  await tryTo(async () => {
    await Promise.all([loadDetail(), state.messages.has(chat) ? undefined : loadMessages(chat)]);
    if (state.chat === chat) await markRead(chat);
  });
}

/** Mark the chat as read. */
export async function markRead(chat) {
  state.mentioned.delete(chat);
  const line = state.chats.find((line) => line.id === chat);
  if (!line?.unread) return;
  setLine(chat, { ...line, unread: 0 });
  await api("POST", ownPath("chats", chat, "read"));
}

/** Send bodies of the control API one after another, after those of earlier calls. Returns those that were not sent. */
export const sendAll = (chat, bodies) => inTurn(`messages of ${chat}`, async () => {
  for (const [index, body] of bodies.entries()) {
    if (!(await post(chat, body))) return bodies.slice(index);
  }
  return [];
});

/** Send one body. Returns whether it was sent. */
export const send = async (chat, body) => !(await sendAll(chat, [body])).length;

/** Post a message; a refusal is shown in the chat like a system message of WeChat. */
async function post(chat, body) {
  try {
    receive(chat, await api("POST", ownPath("chats", chat, "messages"), body));
    return true;
  } catch (error) {
    const messages = state.messages.get(chat);
    const note = { seq: (messages?.at(-1)?.seq ?? 0) + 0.001, kind: "note", text: error.message, local: true, at: Date.now() / 1000 };
    if (messages) put(chat, [...messages, note]);
    toast(error.message, true);
    return false;
  }
}

/** The body that sends a file; WeChat sends it as a picture if its name says so. */
export function fileBody(file) {
  const form = new FormData();
  form.append("file", file, file.name);
  return form;
}

/** Recall a message. */
export const recall = (message) => tryTo(() => api("POST", ownPath("messages", message.seq, "recall"), {}));

/** Send a friend request. */
export const askFriend = (to, hello) => tryTo(async () => {
  const { state: answer } = await api("POST", ownPath("friends"), { to, hello });
  toast(answer === "accepted" ? "你们已经是朋友了" : "已发送，等待对方验证");
  await loadFriends();
});

/** Answer a friend request. */
export const answerRequest = (request, accept) => tryTo(async () => {
  await api("POST", ownPath("requests", request), { accept });
  await loadFriends();
});

/** Delete somebody from the contact list. */
export const deleteFriend = (id) => tryTo(async () => {
  await api("DELETE", ownPath("friends", id));
  await loadFriends();
});

/** Give a friend a remark. */
export const setAlias = (id, alias) => tryTo(async () => {
  await api("PUT", ownPath("friends", id, "alias"), { alias });
  await Promise.all([loadFriends(), loadChats(), loadDetail()]);
});

/** Scan the text of a QR code of a contact or a group. */
export const scan = (code, hello) => tryTo(async () => {
  const answer = await api("POST", ownPath("scan"), { code, hello });
  if (answer.room) await openChat(answer.room);
  else toast("已发送，等待对方验证");
});

/** Create a group and open it. */
export const makeRoom = (members, topic) => tryTo(async () => {
  const room = await api("POST", ownPath("rooms"), { members, topic });
  await openChat(room.id);
});

/** Change the open group: topic, announcement, confirmation, alias. */
export const changeRoom = (room, changes) => tryTo(async () => {
  await api("PATCH", ownPath("rooms", room), changes);
  await Promise.all([loadDetail(), loadChats()]);
});

/** Add friends to a group. */
export const addMembers = (room, members) => tryTo(async () => {
  const { invitations } = await api("POST", ownPath("rooms", room, "members"), { members });
  if (invitations.length) toast("已发出邀请，等待对方确认");
});

/** Remove a person from a group. */
export const removeMember = (room, member) => tryTo(() => api("DELETE", ownPath("rooms", room, "members", member)));

/** Leave a group. */
export const leaveRoom = (room) => tryTo(async () => {
  await api("POST", ownPath("rooms", room, "leave"), {});
  if (state.chat === room) await openChat(null);
});

/** Create a new QR code of a group. */
export const roomCode = (room) => api("POST", ownPath("rooms", room, "qrcode"), {});

/** Accept an invitation card. */
export const acceptInvitation = (message) => tryTo(async () => {
  const { state: answer } = await api("POST", ownPath("invitations", message.data.invitation), {});
  if (answer === "joined") await Promise.all([loadChats(), loadMessages(message.chat)]);
  if (answer === "joined") await openChat(message.data.room);
  else toast("已申请，等待群主确认");
});

/** Approve or reject a person who waits for the group owner. */
export const answerConfirmation = (message, approve) => tryTo(async () => {
  await api("POST", ownPath("confirmations", message.data.confirmation), { approve });
  await Promise.all([loadMessages(message.chat), loadDetail()]);
});

/** Switch to a person and reload the page. */
export function switchTo(id) {
  const query = new URLSearchParams({ as: id });
  if (state.token) query.set("token", state.token);
  location.assign(`/?${query}`);
}

/** Create a person and switch to them. */
export const makePerson = (name, weixin) => tryTo(async () => {
  const person = await api("POST", "/api/people", { name, weixin });
  switchTo(person.id);
});

/** Change a setting of the world and load the settings again. `body` may be a function, called after earlier changes. */
export const changeSetting = (method, path, body) => inTurn("settings", () => tryTo(async () => {
  await api(method, path, typeof body === "function" ? body() : body);
  await loadWorld();
}));

/** Show the trace of another assistant. */
export const watchAccount = (account) => {
  update({ watched: account, trace: [] });
  return tryTo(loadTrace);
};
