// Loading of the data that the page shows. After a lost connection everything is loaded again and merged.
import { api, of } from "./api.js";
import { state, update } from "./store.js";

const PAGE = 50;

/** Load people, assistants and settings. */
export async function loadWorld() {
  const world = await api("GET", "/api/state");
  const people = new Map(world.people.map((person) => [person.id, person]));
  const { accounts, faults, limits, rules } = world;
  const watched = accounts.some((one) => one.name === state.watched) ? state.watched : accounts[0]?.name ?? "";
  update({ people, accounts, faults, limits, rules, watched, me: people.get(state.me?.id) ?? state.me });
}

/** Load the list of chats; lines that were updated meanwhile are kept. */
export async function loadChats() {
  const { chats } = await api("GET", of(state.me.id, "chats"));
  const known = new Map(state.chats.map((line) => [line.id, line]));
  const merged = chats.map((line) => {
    const old = known.get(line.id);
    return old && (old.last?.seq ?? 0) > (line.last?.seq ?? 0) ? { ...line, last: old.last, unread: old.unread } : line;
  });
  update({ chats: sorted(merged) });
}

/** Sort by last activity, newest first. */
export function sorted(lines) {
  return [...lines].sort((one, other) => (other.last?.seq ?? 0) - (one.last?.seq ?? 0));
}

/** Load the contact list and the pending friend requests. */
export async function loadFriends() {
  const [{ friends }, { requests }] = await Promise.all([
    api("GET", of(state.me.id, "friends")),
    api("GET", of(state.me.id, "requests")),
  ]);
  update({ friends, requests });
}

/** Load the group or person of the open chat; close the chat if it no longer exists. */
export async function loadDetail() {
  const chat = state.chat;
  if (!chat) return;
  try {
    const detail = await api("GET", of(state.me.id, "chats", chat));
    if (state.chat === chat) update({ detail });
  } catch (error) {
    if (error.status === 404 && state.chat === chat) update({ chat: null, detail: null });
    throw error;
  }
}

/** Load the newest messages of a chat and merge them. */
export async function loadMessages(chat) {
  const { messages } = await api("GET", `${of(state.me.id, "chats", chat, "messages")}?limit=${PAGE}`);
  const old = state.messages.get(chat) ?? [];
  const oldest = messages[0]?.seq ?? 0;
  const overlaps = old.some((one) => one.seq === oldest);
  const kept = old.filter((one) => !one.local && (overlaps ? true : one.seq > (messages.at(-1)?.seq ?? 0)));
  if (!overlaps) state.hasOlder.set(chat, messages.length === PAGE);
  put(chat, [...kept, ...messages]);
}

/** Load the page before the oldest loaded message. */
export async function loadOlder(chat) {
  const oldest = state.messages.get(chat)?.find((one) => !one.local)?.seq;
  if (!oldest || !state.hasOlder.get(chat)) return;
  const query = `before=${oldest}&limit=${PAGE}`;
  const { messages } = await api("GET", `${of(state.me.id, "chats", chat, "messages")}?${query}`);
  state.hasOlder.set(chat, messages.length === PAGE);
  put(chat, [...messages, ...(state.messages.get(chat) ?? [])]);
}

/** Store messages of a chat: each once, in order, the newest version wins. */
export function put(chat, messages) {
  const bySeq = new Map(messages.map((one) => [one.seq, one]));
  const gone = new Set(messages.filter((one) => one.kind === "recalled").map((one) => one.data?.seq));
  const list = [...bySeq.values()].filter((one) => !gone.has(one.seq)).sort((one, other) => one.seq - other.seq);
  state.messages = new Map(state.messages).set(chat, list);
  update({});
}

/** Load the trace of the watched assistant. */
export async function loadTrace() {
  if (!state.watched) return;
  const account = state.watched;
  const { trace } = await api("GET", `/api/trace?account=${encodeURIComponent(account)}`);
  if (state.watched === account) {
    const newer = state.trace.filter((one) => one.account === account && one.n > (trace.at(-1)?.n ?? 0));
    update({ trace: [...trace, ...newer] });
  }
}

/** Load everything, after a (re)connection. */
export async function loadAll() {
  await loadWorld();
  const chat = state.chat;
  const detail = loadDetail();
  detail.catch(() => undefined); // awaited below, after the rest
  const wanted = [loadChats(), loadFriends()];
  if (chat) wanted.push(loadMessages(chat).catch(() => undefined));
  if (state.panel === "trace") wanted.push(loadTrace());
  await Promise.all(wanted);
  for (const other of state.messages.keys()) if (other !== chat) state.messages.delete(other);
  update({ ready: true });
  await detail;
}
