// The contact list and the pending friend requests.
import { answerFriend } from "../actions.js";
import { useExclusive } from "../exclusive.js";
import { update } from "../store.js";
import { html, useState } from "../shared/preact.js";
import { ListHead } from "./chatlist.js";

const MOST = 300;

/** New friends first, then all contacts by name. */
export function Contacts({ store }) {
  const [sought, setSought] = useState("");
  const wanted = sought.trim().toLowerCase();
  const friends = store.friends
    .filter((one) => `${one.alias}${one.name}${one.weixin}`.toLowerCase().includes(wanted))
    .sort((one, other) => (one.alias || one.name).localeCompare(other.alias || other.name, "zh-CN"));
  return html`
    <section class="list-pane" aria-label="通讯录">
      <${ListHead} title="通讯录" sought=${sought} onSeek=${setSought} />
      ${store.requests.length > 0 && html`
        <h2 class="list-title">新的朋友</h2>
        <ul class="lines" aria-label="新的朋友">
          ${store.requests.map((request) => html`<${Request} key=${request.id} request=${request} />`)}
        </ul>`}
      <h2 class="list-title">朋友</h2>
      <ul class="lines" aria-label="朋友">
        ${friends.slice(0, MOST).map((one) => html`
          <li key=${one.id}><button type="button" class="line contact"
            onClick=${() => update({ dialog: { kind: "profile", id: one.id } })}>
            <span class="avatar-box"><img class="avatar" src=${one.avatar} alt="" /></span>
            <span class="line-name">${one.alias || one.name}${one.account && html`<span class="tag">助手</span>`}</span>
          </button></li>`)}
      </ul>
      ${friends.length > MOST && html`<p class="empty">还有 ${friends.length - MOST} 位，请搜索</p>`}
    </section>`;
}

function Request({ request }) {
  const who = request.from;
  const answer = useExclusive((accept) => answerFriend(request.id, accept));
  return html`
    <li class="line request">
      <span class="avatar-box"><img class="avatar" src=${who.avatar} alt="" /></span>
      <span class="line-name">${who.name}</span>
      <span class="line-last faint">${request.hello || "请求添加你为朋友"}</span>
      <span class="request-answers">
        <button type="button" class="primary small" onClick=${() => answer(true)}>接受</button>
        <button type="button" class="small" onClick=${() => answer(false)}>拒绝</button>
      </span>
    </li>`;
}
