// 记录: the audit log and the sent messages.
import { query } from "../api.js";
import { AUDIT, SEEN } from "../audit-words.js";
import { useList } from "../load.js";
import { html, useState } from "../shared/preact.js";
import { Button, Listing, SearchField, Select, State, Table, Tabs, Time } from "../ui.js";
import { LAST_TIME, formatActor, t } from "../words.js";
import { resend } from "./resend.js";

export function Records({ admin }) {
  const [view, setView] = useState("audit");
  const View = view === "audit" ? AuditLog : Messages;
  return html`<div class="heading"><h1>${t("记录")}</h1>
    <${Tabs} label=${t("视图")} value=${view} onChange=${setView} options=${[["audit", t("操作")], ["messages", t("消息")]]} /></div>
    <${View} admin=${admin} />`;
}

// What a number stands for as the target of an action, by the beginning of the action's kind.
const NUMBERED = {
  ticket: "工单 #{n}",
  broadcast: "群发 #{n}",
  message: "消息 #{n}",
  webhook: "通知 #{n}",
  flow: "流程 #{n}",
  question: "问答 #{n}",
  timed: "定时消息 #{n}",
};

function Target({ action }) {
  if (action.target_name) return action.target_name;
  const label = NUMBERED[action.kind.split("_")[0]];
  if (!label || !/^\d+$/.test(action.target)) return html`<span class="mono">${action.target}</span>`;
  const text = t(label, { n: action.target });
  return action.kind.startsWith("ticket_") ? html`<a href=${`#/tickets/${action.target}`}>${text}</a>` : text;
}

/** The time of a field in ISO 8601; "" if it is empty or of a year after 9999, which JavaScript cannot read. */
function isoTime(local) {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

const kindLabel = (kind) => (AUDIT[kind] ? t(AUDIT[kind]) : kind);

function AuditLog() {
  const [q, setQ] = useState("");
  const [kind, setKind] = useState("");
  const [since, setSince] = useState("");
  const filters = query({ q, kind, since: isoTime(since) });
  const list = useList(`/audit${filters}`, "actions");
  const kinds = Object.keys(AUDIT).map((name) => [name, kindLabel(name)]).sort(([, a], [, b]) => a.localeCompare(b));
  const headings = [t("时间"), t("操作者"), t("操作类型"), t("对象"), t("结果"), t("详情")];
  const row = (action) => html`<tr key=${action.id}>
    <td><${Time} at=${action.at} /></td><td title=${action.who}>${formatActor(action.who, action.who_name)}</td>
    <td title=${action.kind}>${kindLabel(action.kind)}</td><td title=${action.target}><${Target} action=${action} /></td>
    <td><${State} of=${action.outcome} /></td><td class="text small"><${Details} action=${action} /></td></tr>`;
  return html`<div class="row wrap filters">
      <${SearchField} kind="search" label=${t("操作者或对象")} hint=${t("操作者或对象：昵称、微信标识、编号")} value=${q} onChange=${setQ} />
      <${Select} kind="short" label=${t("操作类型")} value=${kind} onChange=${setKind} options=${[["", t("所有操作")], ...kinds]} />
      <label class="row">${t("从")}<input class="short" type="datetime-local" max=${LAST_TIME} aria-label=${t("起始时间")} value=${since}
        onInput=${(event) => setSince(event.target.value)} /></label>
      <a class="button" href=${`/console/api/audit.csv${filters}`} download>${t("导出 CSV")}</a></div>
    <${Listing} list=${list} empty=${t("没有找到。")}>
      <${Table} caption=${t("操作")} headings=${headings}>${list.rows.map(row)}<//><//>`;
}

const DETAILS = {
  number: "群",
  reason: "理由",
  count: "数量",
  address: "地址",
  changed: "已更新",
  restart: "需重启",
  groups: "群数",
  friends: "好友数",
  flow: "流程",
  topic: "群名",
  wanted: "设为",
};
const NOT_LISTED = ["before", "after", "new", "room", "rule"]; // the rule is an internal name; the reason explains it

function Details({ action: { detail, seen } }) {
  const { before, after } = detail;
  const listed = Object.entries(detail).filter(([name, value]) => value && !NOT_LISTED.includes(name));
  return html`
    ${before && html`<div class="muted">${t("改前")} ${before}</div>`}
    ${after && html`<div><span class="muted">${t("改后")}</span> ${after}</div>`}
    ${listed.map(([name, value]) => html`<div key=${name}>
      <span class="muted">${DETAILS[name] ? t(DETAILS[name]) : name}</span> ${value}</div>`)}
    ${seen && html`<div>${SEEN[seen] ? t(SEEN[seen]) : seen}</div>`}`;
}

const MESSAGE_STATES = [["", "全部"], ["queued", "排队中"], ["failed", "失败"], ["unknown", "结果未知"]];

function Messages({ admin }) {
  const [state, setState] = useState("");
  const [q, setQ] = useState("");
  const filters = query({ state, q });
  const list = useList(`/message${filters}`, "messages", (change) => change.kind === "work");
  const canResend = (message) => admin && (message.state === "failed" || message.state === "unknown");
  const row = (message) => html`<tr key=${message.id}>
    <td><${Time} at=${message.created_at} /></td><td>${message.assistant}</td>
    <td title=${message.to}>${message.name || message.to}</td><td class="text">${message.text}</td>
    <td class="text"><${State} of=${message.state} /> <span class="muted small">${message.error}</span></td>
    <td class="actions">${canResend(message)
      && html`<${Button} kind="bare" onClick=${() => resend(`/message/${message.id}`, list.reload)}>${t("重发")}<//>`}</td></tr>`;
  return html`<div class="row wrap filters">
      <${Tabs} label=${t("状态")} value=${state} onChange=${setState} options=${MESSAGE_STATES.map(([id, text]) => [id, t(text)])} />
      <${SearchField} kind="search" label=${t("接收者")} hint=${t("接收者：昵称、群名或标识")} value=${q} onChange=${setQ} />
      <a class="button" href=${`/console/api/message.csv${filters}`} download>${t("导出 CSV")}</a></div>
    <${Listing} list=${list} empty=${q ? t("没有找到。") : t("没有。")}>
      <${Table} caption=${t("消息")} headings=${[t("时间"), t("助手"), t("发给"), t("内容"), t("状态"), ""]}>${list.rows.map(row)}<//><//>`;
}
