// The page of the sandbox WeChat: current person, open view and the event stream.
import { markRead, openChat, tryTo } from "./actions.js";
import { handleItem, isRead } from "./stream_items.js";
import { listen } from "./live.js";
import { loadAll, loadWorld } from "./load.js";
import { state, update, useStore } from "./store.js";
import { html, render, useEffect } from "./shared/preact.js";
import { isToken } from "./words.js";
import { Chat } from "./views/chat.js";
import { ChatList } from "./views/chatlist.js";
import { Contacts } from "./views/contacts.js";
import { Dialogs } from "./views/dialogs.js";
import { Panel } from "./views/panel.js";
import { Rail } from "./views/rail.js";
import { Toast } from "./views/toast.js";
import { Tools } from "./views/tools.js";
import { StartPage } from "./views/start_page.js";

const RETRY_MS = 1000;
const VIEWS = { chats: ChatList, contacts: Contacts, tools: Tools };

function App() {
  const store = useStore();
  const unread = store.chats.reduce((sum, line) => sum + line.unread, 0);
  useEffect(() => {
    document.title = `${unread ? `(${unread}) ` : ""}${store.me ? `${store.me.name} · ` : ""}微信沙箱`;
  }, [unread, store.me?.name]);
  const url = store.me ? streamUrl() : "";
  useEffect(() => stream?.restart(), [url]);
  if (!store.me) return html`<${StartPage} store=${store} /><${Toast} store=${store} />`;
  const View = VIEWS[store.view];
  const open = store.chat && store.view === "chats";
  return html`
    ${store.live === "lost" && html`<div class="lost" role="alert">与沙箱的连接断开了，正在重新连接…</div>`}
    <div class="frame ${open ? "in-chat" : ""} ${store.panel ? "with-panel" : ""}" data-live=${store.ready ? store.live : ""}>
      <${Rail} store=${store} unread=${unread} />
      <div class="column"><${View} store=${store} /></div>
      <main class="stage" aria-label="聊天">
        ${store.chat
          ? html`<${Chat} key=${store.chat} store=${store} />`
          : html`<div class="nothing" aria-hidden="true"><img src="/page/icon.svg" alt="" /></div>`}
      </main>
      ${store.panel && html`<${Panel} store=${store} />`}
    </div>
    <${Dialogs} store=${store} />
    ${!store.dialog && html`<${Toast} store=${store} />`}`;
}

let stream = null;

/** The event stream of the person, and of the trace while it is shown. */
function streamUrl() {
  const query = new URLSearchParams({ person: state.me.id });
  if (state.panel === "trace" && state.watched) query.set("trace", state.watched);
  return `/api/events?${query}`;
}

function start() {
  const query = new URLSearchParams(location.search);
  const token = query.get("token") ?? "";
  update({ token: isToken(token) ? token : "", chat: query.get("chat") });
  const as = query.get("as");
  if (as) update({ me: { id: as, name: "" } });
  render(html`<${App} />`, document.getElementById("app"));
  if (as) startAs(as);
  else loadFirst();
}

/** Load the world, which everything else needs, until it succeeds. */
async function loadFirst() {
  while (!(await tryTo(loadWorld))) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}

async function startAs(as) {
  await loadFirst();
  if (!state.people.has(as)) return update({ me: null, chat: null });
  stream = listen(streamUrl, {
    onOpen: async () => {
      update({ live: "open" });
      await tryTo(loadAll);
      if (state.chat && isRead(state.chat)) tryTo(() => markRead(state.chat));
    },
    onItem: handleItem,
    onLost: () => update({ live: "lost" }),
  });
  const back = () => openChat(new URLSearchParams(location.search).get("chat"), false);
  addEventListener("popstate", back);
  document.addEventListener("visibilitychange", () => {
    if (state.chat && isRead(state.chat)) tryTo(() => markRead(state.chat));
  });
  return undefined;
}

start();
