// Loading of the data that the page shows. After a lost connection everything is loaded again and merged.
import { api, personPath } from "./api.js";
import { state, update } from "./store.js";

const PAGE = 50;

let count = 0; // of requests and changes, to tell which came first
const newestAnswers = new Map(); // by path: the number of the newest request that was answered

/** GET data that may be requested again meanwhile; null if a newer request was answered first. */
async function getNewest(path) {
  const number = ++count;
  const answer = await api("GET", path);
  if (number < (newestAnswers.get(path) ?? 0)) return null;
  newestAnswers.set(path, number);
  return answer;
}

/** Load people, assistants and settings. */
export async function loadWorld() {
  const world = await getNewest("/api/state");
  if (!world) return;
  const people = new Map(world.people.map((person) => [person.id, person]));
  const { accounts, faults, limits, rules } = world;
  const watched = accounts.some((account) => account.name === state.watched) ? state.watched : accounts[0]?.name ?? "";
  update({ people, accounts, faults, limits, rules, watched, me: people.get(state.me?.id) ?? state.me });
}

const lineChanges = new Map(); // by chat: the number of the last change by `setLine`

/** Change the line of a chat in the list; null removes it. */
export function setLine(chat, line) {
  lineChanges.set(chat, ++count);
  const others = state.chats.filter((other) => other.id !== chat);
  update({ chats: line ? sorted([...others, line]) : others });
}

/** Load the list of chats; lines that were changed meanwhile are kept. */
export async function loadChats() {
  const number = ++count;
  const answer = await getNewest(personPath(state.me.id, "chats"));
  if (!answer) return;
  const changed = (line) => (lineChanges.get(line.id) ?? 0) > number;
  const loaded = new Map(answer.chats.map((line) => [line.id, line]));
  const kept = state.chats.filter(changed).map((line) => ({ ...line, ...loaded.get(line.id), last: line.last, unread: line.unread }));
  update({ chats: sorted([...answer.chats.filter((line) => !changed(line)), ...kept]) });
}

/** Sort by last activity, newest first. */
function sorted(lines) {
  return [...lines].sort((line, other) => (other.last?.seq ?? 0) - (line.last?.seq ?? 0));
}

/** Load the contact list and the pending friend requests. */
export async function loadFriends() {
  const [friends, requests] = await Promise.all([
    getNewest(personPath(state.me.id, "friends")),
    getNewest(personPath(state.me.id, "requests")),
  ]);
  update({ ...friends, ...requests });
}

/** Load the group or person of the open chat; close the chat if it no longer exists. */
export async function loadDetail() {
  const chat = state.chat;
  if (!chat) return;
  try {
    const detail = await getNewest(personPath(state.me.id, "chats", chat));
    if (detail && state.chat === chat) update({ detail });
  } catch (error) {
    if (error.status === 404 && state.chat === chat) update({ chat: null, detail: null });
    throw error;
  }
}

const pendingLoads = new Set(); // of messages: { chat, received }

/** Add a message that was sent or received; that of a chat that is not loaded will be loaded with it. */
export function receive(chat, message) {
  for (const load of pendingLoads) if (load.chat === chat) load.received.push(message);
  if (state.messages.has(chat)) put(chat, [...state.messages.get(chat), message]);
}

/** Load the newest messages of a chat and merge them with those received meanwhile. */
export async function loadMessages(chat) {
  const load = { chat, received: [] };
  pendingLoads.add(load);
  try {
    const answer = await getNewest(`${personPath(state.me.id, "chats", chat, "messages")}?limit=${PAGE}`);
    if (answer) merge(chat, answer.messages, load.received);
  } finally {
    pendingLoads.delete(load);
  }
}

function merge(chat, messages, received) {
  const old = [...(state.messages.get(chat) ?? []), ...received];
  const oldest = messages[0]?.seq ?? 0;
  const overlaps = old.some((message) => message.seq === oldest);
  const kept = old.filter((message) => !message.local && (overlaps ? true : message.seq > (messages.at(-1)?.seq ?? 0)));
  if (!overlaps) state.hasOlder.set(chat, messages.length === PAGE);
  put(chat, [...kept, ...messages]);
}

/** Load the page before the oldest loaded message. */
export async function loadOlder(chat) {
  const oldestOf = () => state.messages.get(chat)?.find((message) => !message.local)?.seq;
  const oldest = oldestOf();
  if (!oldest || !state.hasOlder.get(chat)) return;
  const query = `before=${oldest}&limit=${PAGE}`;
  const { messages } = await api("GET", `${personPath(state.me.id, "chats", chat, "messages")}?${query}`);
  if (oldestOf() !== oldest) return; // loaded anew meanwhile
  state.hasOlder.set(chat, messages.length === PAGE);
  put(chat, [...messages, ...state.messages.get(chat)]);
}

/** Store messages of a chat: each once, in order, the newest version wins. */
export function put(chat, messages) {
  const bySeq = new Map(messages.map((message) => [message.seq, message]));
  const gone = new Set(messages.filter((message) => message.kind === "recalled").map((message) => message.data?.seq));
  const list = [...bySeq.values()].filter((message) => !gone.has(message.seq)).sort((message, other) => message.seq - other.seq);
  state.messages = new Map(state.messages).set(chat, list);
  update({});
}

/** Load the trace of the watched assistant. */
export async function loadTrace() {
  if (!state.watched) return;
  const account = state.watched;
  const { trace } = await api("GET", `/api/trace?account=${encodeURIComponent(account)}`);
  if (state.watched === account) {
    const newer = state.trace.filter((entry) => entry.account === account && entry.n > (trace.at(-1)?.n ?? 0));
    update({ trace: [...trace, ...newer] });
  }
}

/** Load everything, after a (re)connection. */
export async function loadAll() {
  const chat = state.chat;
  for (const other of state.messages.keys()) if (other !== chat) state.messages.delete(other);
  await loadWorld();
  const detail = loadDetail();
  detail.catch(() => undefined); // awaited below, after the rest
  const wanted = [loadChats(), loadFriends()];
  if (chat) wanted.push(loadMessages(chat).catch(() => undefined));
  if (state.panel === "trace") wanted.push(loadTrace());
  await Promise.all(wanted);
  update({ ready: true });
  await detail;
}
