// The navigation bar at the side (on a phone, at the bottom).
import { loadTrace } from "../load.js";
import { tryTo } from "../actions.js";
import { Icon } from "../icons.js";
import { update } from "../store.js";
import { html } from "../shared/preact.js";

const VIEWS = [["chats", "微信", "chats"], ["contacts", "通讯录", "contacts"], ["tools", "沙箱", "tools"]];

/** A number in a red dot; nothing for 0. */
export function Badge({ count, label = "条未读" }) {
  if (!count) return null;
  return html`<span class="badge" aria-label="${count} ${label}">${count > 99 ? "99+" : count}</span>`;
}

/** Show or hide the trace next to the chat. */
export function toggleTrace(store) {
  const panel = store.panel === "trace" ? null : "trace";
  update({ panel });
  if (panel) tryTo(loadTrace);
}

/** The navigation bar. */
export function Rail({ store, unread }) {
  const counts = { chats: unread, contacts: store.requests.length };
  return html`
    <nav class="rail" aria-label="主导航">
      <button type="button" class="rail-me" aria-label="我是${store.me.name}，换一个身份"
        title="我是${store.me.name}，换一个身份" onClick=${() => update({ dialog: { kind: "identity" } })}>
        ${store.me.avatar && html`<img class="avatar" src=${store.me.avatar} alt="" />`}
      </button>
      ${VIEWS.map(([view, label, icon]) => html`
        <button key=${view} type="button" class="rail-place" aria-current=${store.view === view ? "page" : undefined}
          onClick=${() => update({ view })}>
          <${Icon} name=${icon} /><span>${label}</span>
          <${Badge} count=${counts[view]} label=${view === "contacts" ? "个新的朋友" : undefined} />
        </button>`)}
      <button type="button" class="rail-place rail-trace" aria-pressed=${store.panel === "trace"}
        onClick=${() => toggleTrace(store)}>
        <${Icon} name="trace" /><span>机器人</span>
      </button>
    </nav>`;
}
