// The open chat: header, history, composer and details.
import { openChat, tryTo } from "../actions.js";
import { Icon, IconButton } from "../icons.js";
import { loadOlder } from "../load.js";
import { update } from "../store.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../shared/preact.js";
import { longTime } from "../words.js";
import { Composer } from "./composer.js";
import { Drawer } from "./drawer.js";
import { Message } from "./message.js";

const TIME_GAP = 300; // seconds between messages after which the time is shown again
const END_DISTANCE = 80; // distance in pixels that counts as being at an end

/** The chat view. */
export function Chat({ store }) {
  const { chat, detail } = store;
  const line = store.chats.find((line) => line.id === chat);
  const name = detail?.name ?? line?.name ?? "";
  const count = detail?.group?.members.length;
  return html`
    <section class="chat" aria-label="与${name}的聊天">
      <header class="chat-head">
        <${IconButton} name="back" label="返回" className="only-phone" onClick=${() => openChat(null)} />
        <h1>${name}${count ? html`<span class="count">（${count}）</span>` : ""}</h1>
        <${IconButton} name="more" label="聊天详情" expanded=${store.drawer} onClick=${() => update({ drawer: !store.drawer })} />
      </header>
      <div class="chat-body">
        <div class="talk">
          <${StrangerNotice} store=${store} />
          <${History} store=${store} />
          ${detail?.gone
            ? html`<p class="gone">你已不在这个群聊里，不能发送消息。</p>`
            : html`<${Composer} key=${chat} store=${store} />`}
        </div>
        ${store.drawer && detail && !detail.gone && html`<${Drawer} store=${store} />`}
      </div>
    </section>`;
}

function StrangerNotice({ store }) {
  const person = store.detail?.person;
  if (!person || person.friend || person.id === store.me.id) return null;
  return html`<p class="stranger">${person.name} 还不是你的朋友
    <button type="button" class="small" onClick=${() => update({ dialog: { kind: "add", to: person.id, hello: "" } })}>添加到通讯录</button></p>`;
}

/** The message history, with the time above each group of messages; stays scrolled to the end while it is there. */
function History({ store }) {
  const messages = store.messages.get(store.chat) ?? [];
  const box = useRef(null);
  const at = useRef({ end: true, height: 0, first: 0, last: 0 });
  const [missed, setMissed] = useState(0);
  const first = messages[0]?.seq ?? 0;
  const last = messages.at(-1)?.seq ?? 0;

  useLayoutEffect(() => {
    const node = box.current;
    const was = at.current;
    const grewAbove = was.first && first < was.first;
    const added = last > was.last ? messages.filter((message) => message.seq > was.last) : [];
    if (grewAbove) node.scrollTop += node.scrollHeight - was.height;
    else if (was.end || added.some((message) => message.mine)) toEnd();
    else if (was.last) setMissed((count) => count + added.filter((message) => !message.mine).length);
    Object.assign(was, { height: node.scrollHeight, first, last });
  }, [first, last, messages.length]);

  useEffect(() => {  // pictures load later than their bubbles, and the composer grows
    const keep = new ResizeObserver(() => at.current.end && toEnd());
    keep.observe(box.current);
    keep.observe(box.current.firstElementChild);
    return () => keep.disconnect();
  }, []);

  const toEnd = () => {
    if (!box.current) return; // a resize reported after the chat was closed
    box.current.scrollTop = box.current.scrollHeight;
    at.current.end = true;
    setMissed(0);
  };
  const scrolled = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
    at.current.end = scrollHeight - scrollTop - clientHeight < END_DISTANCE;
    if (at.current.end) setMissed(0);
    if (scrollTop < END_DISTANCE) older();
  };
  const older = async () => {
    if (at.current.loading) return;
    at.current.loading = true;
    await tryTo(() => loadOlder(store.chat));
    at.current.loading = false;
  };
  return html`
    <div class="history-box">
      <div class="history" ref=${box} onScroll=${scrolled} tabindex="0" role="log" aria-live="polite" aria-label="聊天记录">
        <div>
          ${store.hasOlder.get(store.chat) && html`<button type="button" class="older" onClick=${older}>查看更多消息</button>`}
          ${messages.map((message, index) => html`
            <${MessageWithTime} key=${message.seq} store=${store} message=${message} before=${messages[index - 1]} />`)}
        </div>
      </div>
      ${missed > 0 && html`<button type="button" class="missed" onClick=${toEnd}>${missed} 条新消息 <${Icon} name="down" /></button>`}
    </div>`;
}

function MessageWithTime({ store, message, before }) {
  const isLater = !before || message.at - before.at > TIME_GAP;
  return html`
    ${isLater && html`<time class="stretch">${longTime(message.at)}</time>`}
    <${Message} store=${store} message=${message} />`;
}
