// 客服: the list of tickets, and the chosen ticket.
import { query } from "../api.js";
import { useList } from "../load.js";
import { html, useState } from "../shared/preact.js";
import { Listing, SearchField, State, Tabs } from "../ui.js";
import { formatAge, t } from "../words.js";
import { TicketView, ticketState } from "./ticket.js";

const FILTERS = [["waiting", "待接待"], ["mine", "我的"], ["open", "全部"], ["closed", "已结束"]];

export function Tickets({ id, session }) {
  const [filter, setFilter] = useState("open");
  const [q, setQ] = useState("");
  const [isCustomerOpen, setIsCustomerOpen] = useState(false); // where there is no room for the customer beside the conversation
  const list = useList(`/ticket${query({ view: filter, q })}`, "tickets", (change) => change.kind === "ticket");
  const item = (ticket) => html`<li key=${ticket.id}>
    <a href=${`#/tickets/${ticket.id}`} aria-current=${String(ticket.id) === id ? "true" : undefined}>
      <span class="row between"><b>${ticket.name || t("客户")}</b><span class="muted small number">#${ticket.id}</span></span>
      <span class="row between small"><span class="muted">${ticket.staff || t("无人接待")} · ${formatAge(ticket.last_at)}</span>
        <${State} of=${ticketState(ticket)} /></span></a></li>`;
  return html`<div class=${`tickets-page ${id ? "has-ticket" : ""} ${isCustomerOpen ? "customer-open" : ""}`}>
    <section class="ticket-list" aria-label=${t("工单")}>
      <div class="list-header"><h1>${t("客服")}</h1>
        <${Tabs} label=${t("筛选工单")} value=${filter} onChange=${setFilter} options=${FILTERS.map(([name, text]) => [name, t(text)])} />
        <${SearchField} label=${t("查找客户或编号")} value=${q} onChange=${setQ} /></div>
      <${Listing} list=${list} empty=${filter === "waiting" ? t("没有等待的客户。") : t("这里还没有工单。客户说“人工”就会出现在这里。")}>
        <ul class="tickets">${list.rows.map(item)}</ul>
      <//>
    </section>
    ${id ? html`<${TicketView} key=${id} id=${id} session=${session} toggleCustomer=${() => setIsCustomerOpen(!isCustomerOpen)} />`
      : html`<section class="conversation none"><div class="empty">${t("选一个工单，看对话。")}</div></section>`}
  </div>`;
}
