// 客服: the queue, the talk, the customer.
import { query } from "../api.js";
import { Listing, State, Tabs, useList } from "../ui.js";
import { html, useState } from "../shared/preact.js";
import { ago, t } from "../words.js";
import { Talk, stateOf } from "./talk.js";

const VIEWS = [["waiting", "待接待"], ["mine", "我的"], ["open", "全部"], ["closed", "已结束"]];

export function Tickets({ id, session }) {
  const [view, setView] = useState("open");
  const [q, setQ] = useState("");
  const [card, setCard] = useState(false);
  const list = useList(`/ticket${query({ view, q })}`, "tickets", (change) => change.kind === "ticket");
  return html`<div class=${`desk ${id ? "in-talk" : ""} ${card ? "card-open" : ""}`}>
    <section class="queue" aria-label=${t("工单")}>
      <div class="list-head"><h1>${t("客服")}</h1>
        <${Tabs} label=${t("筛选工单")} value=${view} onChange=${setView} options=${VIEWS.map(([name, words]) => [name, t(words)])} />
        <input type="search" aria-label=${t("查找客户或编号")} placeholder=${t("查找客户或编号")} value=${q} onInput=${(event) => setQ(event.target.value)} /></div>
      <${Listing} list=${list} empty=${view === "waiting" ? t("没有等待的客户。") : t("这里还没有工单。客户说“人工”就会出现在这里。")}>
        <ul class="tickets">${list.rows.map((one) => html`<li key=${one.id}><a href=${`#/tickets/${one.id}`} aria-current=${String(one.id) === id ? "true" : undefined}>
          <span class="row between"><b>${one.name || t("客户")}</b><span class="quiet small number">#${one.id}</span></span>
          <span class="row between small"><span class="quiet">${one.staff || t("无人接待")} · ${ago(one.last_at)}</span><${State} of=${stateOf(one)} /></span></a></li>`)}</ul>
      <//>
    </section>
    ${id ? html`<${Talk} key=${id} id=${id} session=${session} card=${() => setCard(!card)} />`
      : html`<section class="talk none"><div class="empty">${t("选一个工单，看对话。")}</div></section>`}
  </div>`;
}
