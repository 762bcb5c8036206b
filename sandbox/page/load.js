// Fetching what the page shows. After a broken connection everything is fetched anew and laid over what is there.
import { api, of } from "./api.js";
import { state, update } from "./store.js";

const PAGE = 50;

/** Everybody, the assistants, the switches. */
export async function loadWorld() {
  const world = await api("GET", "/api/state");
  const people = new Map(world.people.map((person) => [person.id, person]));
  const { accounts, faults, limits, rules } = world;
  const watched = accounts.some((one) => one.name === state.watched) ? state.watched : accounts[0]?.name ?? "";
  update({ people, accounts, faults, limits, rules, watched, me: people.get(state.me?.id) ?? state.me });
}

/** The list of chats; a line that has heard of something newer meanwhile stays. */
export async function loadChats() {
  const { chats } = await api("GET", of(state.me.id, "chats"));
  const known = new Map(state.chats.map((line) => [line.id, line]));
  const merged = chats.map((line) => {
    const old = known.get(line.id);
    return old && (old.last?.seq ?? 0) > (line.last?.seq ?? 0) ? { ...line, last: old.last, unread: old.unread } : line;
  });
  update({ chats: sorted(merged) });
}

/** The liveliest first. */
export function sorted(lines) {
  return [...lines].sort((one, other) => (other.last?.seq ?? 0) - (one.last?.seq ?? 0));
}

/** The contact list and the requests that wait. */
export async function loadFriends() {
  const [{ friends }, { requests }] = await Promise.all([
    api("GET", of(state.me.id, "friends")),
    api("GET", of(state.me.id, "requests")),
  ]);
  update({ friends, requests });
}

/** The open chat's group or person; what is not there is closed. */
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

/** The newest messages of a chat, laid over those already here. */
export async function loadMessages(chat) {
  const { messages } = await api("GET", `${of(state.me.id, "chats", chat, "messages")}?limit=${PAGE}`);
  const old = state.messages.get(chat) ?? [];
  const oldest = messages[0]?.seq ?? 0;
  const overlaps = old.some((one) => one.seq === oldest);
  const kept = old.filter((one) => !one.local && (overlaps ? true : one.seq > (messages.at(-1)?.seq ?? 0)));
  if (!overlaps) state.hasOlder.set(chat, messages.length === PAGE);
  put(chat, [...kept, ...messages]);
}

/** The page before the oldest message here. */
export async function loadOlder(chat) {
  const oldest = state.messages.get(chat)?.find((one) => !one.local)?.seq;
  if (!oldest || !state.hasOlder.get(chat)) return;
  const query = `before=${oldest}&limit=${PAGE}`;
  const { messages } = await api("GET", `${of(state.me.id, "chats", chat, "messages")}?${query}`);
  state.hasOlder.set(chat, messages.length === PAGE);
  put(chat, [...messages, ...(state.messages.get(chat) ?? [])]);
}

/** Keep a chat's messages: each once, in order, the later version of one winning. */
export function put(chat, messages) {
  const bySeq = new Map(messages.map((one) => [one.seq, one]));
  const gone = new Set(messages.filter((one) => one.kind === "recalled").map((one) => one.data?.seq));
  const list = [...bySeq.values()].filter((one) => !gone.has(one.seq)).sort((one, other) => one.seq - other.seq);
  state.messages = new Map(state.messages).set(chat, list);
  update({});
}

/** What the watched assistant was told and called so far. */
export async function loadTrace() {
  if (!state.watched) return;
  const account = state.watched;
  const { trace } = await api("GET", `/api/trace?account=${encodeURIComponent(account)}`);
  if (state.watched === account) {
    const newer = state.trace.filter((one) => one.account === account && one.n > (trace.at(-1)?.n ?? 0));
    update({ trace: [...trace, ...newer] });
  }
}

/** Everything, after a (re)connection. */
export async function loadAll() {
  await loadWorld();
  const chat = state.chat;
  const detail = loadDetail();
  detail.catch(() => undefined); // it is waited for below, when the rest is there
  const wanted = [loadChats(), loadFriends()];
  if (chat) wanted.push(loadMessages(chat).catch(() => undefined));
  if (state.panel === "trace") wanted.push(loadTrace());
  await Promise.all(wanted);
  for (const other of state.messages.keys()) if (other !== chat) state.messages.delete(other);
  update({ ready: true });
  await detail;
}
