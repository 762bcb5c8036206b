// The contact list and the pending friend requests.
import { answerRequest } from "../actions.js";
import { useExclusive } from "../exclusive.js";
import { update } from "../store.js";
import { html, useState } from "../shared/preact.js";
import { ListHead } from "./chatlist.js";

const MAX_SHOWN = 300;

/** New friends first, then all contacts by name. */
export function Contacts({ store }) {
  const [search, setSearch] = useState("");
  const wanted = search.trim().toLowerCase();
  const friends = store.friends
    .filter((friend) => `${friend.alias}${friend.name}${friend.weixin}`.toLowerCase().includes(wanted))
    .sort((friend, other) => (friend.alias || friend.name).localeCompare(other.alias || other.name, "zh-CN"));
  return html`
    <section class="list-pane" aria-label="通讯录">
      <${ListHead} title="通讯录" search=${search} onSearch=${setSearch} />
      ${store.requests.length > 0 && html`
        <h2 class="list-title">新的朋友</h2>
        <ul class="lines" aria-label="新的朋友">
          ${store.requests.map((request) => html`<${Request} key=${request.id} request=${request} />`)}
        </ul>`}
      <h2 class="list-title">朋友</h2>
      <ul class="lines" aria-label="朋友">
        ${friends.slice(0, MAX_SHOWN).map((friend) => html`
          <li key=${friend.id}><button type="button" class="line contact"
            onClick=${() => update({ dialog: { kind: "profile", id: friend.id } })}>
            <span class="avatar-box"><img class="avatar" src=${friend.avatar} alt="" /></span>
            <span class="line-name">${friend.alias || friend.name}${friend.account && html`<span class="tag">助手</span>`}</span>
          </button></li>`)}
      </ul>
      ${friends.length > MAX_SHOWN && html`<p class="empty">还有 ${friends.length - MAX_SHOWN} 位，请搜索</p>`}
    </section>`;
}

function Request({ request }) {
  const person = request.from;
  const answer = useExclusive((accept) => answerRequest(request.id, accept));
  return html`
    <li class="line request">
      <span class="avatar-box"><img class="avatar" src=${person.avatar} alt="" /></span>
      <span class="line-name">${person.name}</span>
      <span class="line-last faint">${request.hello || "请求添加你为朋友"}</span>
      <span class="request-answers">
        <button type="button" class="primary small" onClick=${() => answer(true)}>接受</button>
        <button type="button" class="small" onClick=${() => answer(false)}>拒绝</button>
      </span>
    </li>`;
}
