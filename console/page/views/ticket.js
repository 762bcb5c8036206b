// One ticket, live: its header, the conversation, who else views it, the reply form, and the customer.
import { call } from "../api.js";
import { attempt, confirmAction } from "../dialogs.js";
import { useLoad } from "../load.js";
import { html, useEffect, useRef, useState } from "../shared/preact.js";
import { useTyped } from "../shared/typed.js";
import { ActionSelect, Button, Field, State, Time } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { t } from "../words.js";
import { Messages } from "./messages.js";
import { ReplyForm } from "./reply-form.js";

const PAGE_SIZE = 50; // messages
const MAX_MESSAGES = 200;
const VIEWERS_INTERVAL = 15_000; // milliseconds

export function TicketView({ id, session, toggleCustomer }) {
  const [limit, setLimit] = useState(PAGE_SIZE);
  const isOfTicket = ({ kind, id: changed }) => (kind === "ticket" || kind === "presence") && String(changed) === id;
  const resource = useLoad(`/ticket/${id}?limit=${limit}`, isOfTicket);
  const latest = useRef(null); // shown while older messages are loaded
  if (resource.data) latest.current = resource.data;
  const followsEnd = useRef(true); // whether the conversation scrolls to new messages
  const data = latest.current;
  const hasViewers = data?.present.length > 0;
  useEffect(() => { // a computer that goes to sleep does not report that its user has left
    if (!hasViewers) return undefined;
    const timer = setInterval(resource.reload, VIEWERS_INTERVAL);
    return () => clearInterval(timer);
  }, [hasViewers, resource.reload]);
  if (!data) {
    return html`<section class="conversation">
      <div class="empty">${resource.error ? resource.error.message : t("正在读取…")}</div></section><aside class="customer"></aside>`;
  }
  const hasOlder = data.next && (limit < MAX_MESSAGES || resource.loading);
  const showOlder = hasOlder ? () => setLimit(MAX_MESSAGES) : null;
  return html`<section class="conversation" aria-label=${t("对话")}>
      <${Header} data=${data} session=${session} toggleCustomer=${toggleCustomer} reload=${resource.reload} />
      <${Messages} data=${data} session=${session} reload=${resource.reload} showOlder=${showOlder} followsEnd=${followsEnd} />
      ${hasViewers && html`<${Viewers} viewers=${data.present} />`}
      <${ReplyForm} id=${id} isClosed=${data.ticket.state === "closed"} reload=${resource.reload} followsEnd=${followsEnd} />
    </section>
    <${Customer} data=${data} id=${id} reload=${resource.reload} />`;
}

/** The state to show: a ticket that nobody has taken yet is new. */
export const ticketState = (ticket) => (ticket.state === "open" && !ticket.staff_id ? "new" : ticket.state);

function Viewers({ viewers }) {
  const text = ({ name, doing }) =>
    t(doing === "writing" ? "{name} 正在输入…" : "{name} 也在看这个工单", { name: name || t("管理员") });
  return html`<div class="presence" role="status">${viewers.map(text).join("　")}</div>`;
}

function Header({ data, session, toggleCustomer, reload }) {
  const { ticket } = data;
  return html`<div class="ticket-header"><a class="button back" href="#/tickets" aria-label=${t("返回列表")}>‹</a>
    <h2>${ticket.name || t("客户")} <span class="muted number">#${ticket.id}</span></h2><${State} of=${ticketState(ticket)} />
    <span class="muted small">${ticket.staff ? t("由 {staff} 接待", ticket) : t("无人接待")}
      ${ticket.mark ? `　${t("评分 {mark}", ticket)}` : ""}</span>
    <div class="tools">
      <button type="button" class="plain slim customer-toggle" onClick=${toggleCustomer}>${t("客户")}</button>
      <${TicketActions} ticket=${ticket} staff=${data.staff} session=${session} reload=${reload} />
    </div></div>`;
}

function TicketActions({ ticket, staff, session, reload }) {
  const act = (action, body, success) => attempt(async () => {
    await call("POST", `/ticket/${ticket.id}/${action}`, body);
    await reload();
  }, success);
  const close = async () => {
    if (await confirmAction(t("结束这个工单？客户会被请求评分。"), t("结束"))) await act("close", {}, t("已结束"));
  };
  const transfer = async (id) => { // the arrow keys choose in a closed list, too
    const { name } = staff.find((member) => member.id === id);
    if (await confirmAction(t("把这个工单转给{name}？", { name }), t("转交"))) await act("assign", { staff: id }, t("已转交"));
  };
  if (ticket.state === "closed") {
    return html`<${Button} key="reopen" kind="slim" onClick=${() => act("reopen", {}, t("已重新打开"))}>${t("重新打开")}<//>`;
  }
  const others = staff.filter((member) => member.id !== ticket.staff_id);
  return html`${ticket.staff_id !== session.id && html`<${Button} key="take" kind="slim"
      onClick=${() => act("assign", {}, t("已由您接待"))}>${t("我来接待")}<//>`}
    ${others.length > 0 && html`<${ActionSelect} key="assign" label=${t("转给")} hint=${t("转给…")}
      options=${others.map(({ id, name }) => [id, name])} onChoose=${transfer} />`}
    <${Button} key="close" kind="slim danger" onClick=${close}>${t("结束")}<//>`;
}

function Customer({ data, id, reload }) {
  const { customer, ticket } = data;
  const [alias, setAlias, store] = useTyped(customer.alias);
  const changed = alias !== customer.alias;
  useUnsaved(changed);
  const save = () => store((text) => attempt(async () => {
    await call("POST", `/ticket/${id}/remark`, { alias: text });
    await reload();
  }, t("已保存")));
  return html`<aside class="customer" aria-label=${t("客户")}><h2>${t("客户")}</h2>
    <dl class="facts"><dt>${t("昵称")}</dt><dd>${customer.name || "—"}</dd>
      <dt>${t("微信号")}</dt><dd>${customer.weixin || "—"}</dd>
      <dt>${t("助手")}</dt><dd>${ticket.assistant}</dd>
      <dt>${t("工单开始")}</dt><dd><${Time} at=${ticket.opened_at} /></dd></dl>
    <${Field} label=${t("备注名")} changed=${changed}><input type="text" maxlength="30" value=${alias}
      onInput=${(event) => setAlias(event.target.value)} /><//>
    <${Button} disabled=${!alias.trim() || !changed} onClick=${save}>${t("保存备注名")}<//>
    <${CustomerGroups} groups=${customer.groups} /><${EarlierTickets} tickets=${customer.earlier} />
  </aside>`;
}

function CustomerGroups({ groups }) {
  const link = ({ number, topic }) => html`<div key=${number}><a href=${`#/groups/${number}`}>${topic}</a></div>`;
  return html`<div><h2>${t("所在的群")}</h2>${groups.length ? groups.map(link) : html`<p class="muted">${t("不在任何群里")}</p>`}</div>`;
}

function EarlierTickets({ tickets }) {
  const link = (ticket) => html`<div key=${ticket.id}><a href=${`#/tickets/${ticket.id}`}>#${ticket.id}</a>${" "}
    <span class="muted"><${Time} at=${ticket.opened_at} />${ticket.mark ? ` · ${t("评分 {mark}", ticket)}` : ""}</span></div>`;
  return html`<div><h2>${t("以前的工单")}</h2>
    ${tickets.length ? tickets.map(link) : html`<p class="muted">${t("没有以前的工单")}</p>`}</div>`;
}
