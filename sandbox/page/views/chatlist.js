// The list of chats and groups.
import { openChat } from "../actions.js";
import { IconButton } from "../icons.js";
import { draftOf, nameOf, update } from "../store.js";
import { html, useState } from "../shared/preact.js";
import { shortTime } from "../words.js";
import { Badge } from "./rail.js";
import { TokenBar } from "./token.js";

/** The chats by last activity, with a search by name. */
export function ChatList({ store }) {
  const [search, setSearch] = useState("");
  const lines = store.chats.filter((line) => (line.last || line.room || line.id === store.chat) && line.name.toLowerCase().includes(search.trim().toLowerCase()));
  return html`
    <section class="list-pane" aria-label="聊天列表">
      <${ListHead} title="微信" search=${search} onSearch=${setSearch} />
      ${store.token && html`<${TokenBar} store=${store} token=${store.token} />`}
      <ul class="lines">
        ${lines.map((line) => html`<${Line} key=${line.id} store=${store} line=${line} />`)}
      </ul>
      ${store.ready && !lines.length && html`<p class="empty">${search ? "没有找到" : "还没有聊天，从通讯录里找个朋友吧"}</p>`}
    </section>`;
}

/** The search field of a list, and the menu of new chats. */
export function ListHead({ title, search, onSearch }) {
  return html`
    <header class="list-head">
      <h1>${title}</h1>
      <input type="search" placeholder="搜索" aria-label="搜索" value=${search} onInput=${(event) => onSearch(event.target.value)}
        onKeyDown=${(event) => event.key === "Escape" && onSearch("")} />
      <${IconButton} name="plus" label="添加朋友或发起群聊" onClick=${() => update({ dialog: { kind: "find" } })} />
    </header>`;
}

function Line({ store, line }) {
  const { text, files } = draftOf(line.id);
  const draft = store.chat !== line.id && (text || (files.length > 0 && "[文件]"));
  return html`
    <li><button type="button" class="line" aria-current=${store.chat === line.id ? "true" : undefined}
      onClick=${() => openChat(line.id)}>
      <span class="avatar-box"><img class="avatar" src=${line.avatar} alt="" /><${Badge} count=${line.unread} /></span>
      <span class="line-name">${line.name}</span>
      <time class="faint">${line.last ? shortTime(line.last.at) : ""}</time>
      <span class="line-last faint">
        ${store.mentioned.has(line.id) && html`<b class="attention">[有人@我] </b>`}
        ${draft ? html`<b class="attention">[草稿] </b>${draft}` : preview(store, line)}
      </span>
    </button></li>`;
}

function preview(store, { room, last }) {
  if (!last) return "";
  const plain = room && last.kind !== "note" && last.kind !== "confirmation" && last.sender !== store.me.id;
  return plain ? `${nameOf(last.sender)}：${last.text}` : last.text;
}
