// 记录: the audit log and the sent messages.
import { call, query } from "../api.js";
import { AUDIT, SEEN } from "../audit-words.js";
import { Button, Listing, State, Table, Tabs, Time, toast, tryTo, useList } from "../ui.js";
import { html, useState } from "../shared/preact.js";
import { actor, t } from "../words.js";

export function Records({ admin }) {
  const [view, setView] = useState("audit");
  const View = view === "audit" ? Audit : Messages;
  return html`<div class="heading"><h1>${t("记录")}</h1><${Tabs} label=${t("视图")} value=${view} onChange=${setView} options=${[["audit", t("操作")], ["messages", t("消息")]]} /></div><${View} admin=${admin} />`;
}

// What a number stands for as the target of an action, by the beginning of its kind.
const NUMBERED = { ticket: "工单 #{n}", broadcast: "群发 #{n}", message: "消息 #{n}", webhook: "通知 #{n}", flow: "流程 #{n}", question: "问答 #{n}", timed: "定时消息 #{n}" };

function Target({ one }) {
  if (one.target_name) return one.target_name;
  const words = NUMBERED[one.kind.split("_")[0]];
  if (!words || !/^\d+$/.test(one.target)) return html`<span class="mono">${one.target}</span>`;
  const shown = t(words, { n: one.target });
  return one.kind.startsWith("ticket_") ? html`<a href=${`#/tickets/${one.target}`}>${shown}</a>` : shown;
}

const kindWords = (kind) => (AUDIT[kind] ? t(AUDIT[kind]) : kind);
const DETAILS = { number: "群", reason: "理由", count: "数量", address: "地址", changed: "已更新", restart: "需重启", groups: "群数", friends: "好友数", flow: "流程", topic: "群名", wanted: "设为" };
const SHOWN_APART = ["before", "after", "new", "room", "rule"]; // the rule is an internal name; the reason says it

function Audit() {
  const [q, setQ] = useState("");
  const [kind, setKind] = useState("");
  const [since, setSince] = useState("");
  const wanted = query({ q, kind, since: since && new Date(since).toISOString() });
  const list = useList(`/audit${wanted}`, "actions");
  const kinds = Object.keys(AUDIT).sort((one, other) => kindWords(one).localeCompare(kindWords(other)));
  return html`<div class="row wrap filters"><input class="find" type="search" aria-label=${t("操作者或对象")} placeholder=${t("操作者或对象：昵称、微信标识、编号")} value=${q} onInput=${(event) => setQ(event.target.value)} />
      <select class="short" aria-label=${t("操作类型")} value=${kind} onChange=${(event) => setKind(event.target.value)}><option value="">${t("所有操作")}</option>${kinds.map((one) => html`<option key=${one} value=${one}>${kindWords(one)}</option>`)}</select>
      <label class="row">${t("从")}<input class="short" type="datetime-local" aria-label=${t("起始时间")} value=${since} onInput=${(event) => setSince(event.target.value)} /></label>
      <a class="button" href=${`/console/api/audit.csv${wanted}`} download>${t("导出 CSV")}</a></div>
    <${Listing} list=${list} empty=${t("没有找到。")}><${Table} caption=${t("操作")} heads=${[t("时间"), t("操作者"), t("操作类型"), t("对象"), t("结果"), t("详情")]}>${list.rows.map((one) => html`<tr key=${one.id}>
      <td><${Time} at=${one.at} /></td><td title=${one.who}>${actor(one.who, one.who_name)}</td><td title=${one.kind}>${kindWords(one.kind)}</td>
      <td title=${one.target}><${Target} one=${one} /></td><td><${State} of=${one.outcome} /></td><td class="text small"><${Detail} one=${one} /></td></tr>`)}<//><//>`;
}

function Detail({ one }) {
  const { before, after } = one.detail;
  const rest = Object.entries(one.detail).filter(([name, value]) => value && !SHOWN_APART.includes(name));
  return html`${before !== undefined && before !== "" && html`<div class="was"><span class="quiet">${t("改前")}</span> ${before}</div>`}
    ${after !== undefined && after !== "" && html`<div><span class="quiet">${t("改后")}</span> ${after}</div>`}
    ${rest.map(([name, value]) => html`<div key=${name}><span class="quiet">${DETAILS[name] ? t(DETAILS[name]) : name}</span> ${value}</div>`)}${one.seen && html`<div>${SEEN[one.seen] ? t(SEEN[one.seen]) : one.seen}</div>`}`;
}

function Messages({ admin }) {
  const [state, setState] = useState("");
  const [q, setQ] = useState("");
  const list = useList(`/message${query({ state, q })}`, "messages", (change) => change.kind === "work");
  const resend = (one) => tryTo(async () => {
    const { sent_again } = await call("POST", `/message/${one.id}/resend`, {});
    toast(sent_again ? t("已重新排队发送") : t("它没有失败，无需重发"));
    await list.reload();
  });
  const again = (one) => admin && (one.state === "failed" || one.state === "unknown");
  return html`<div class="row wrap filters"><${Tabs} label=${t("状态")} value=${state} onChange=${setState} options=${[["", t("全部")], ["queued", t("排队中")], ["failed", t("失败")], ["unknown", t("结果未知")]]} />
      <input class="find" type="search" aria-label=${t("接收者")} placeholder=${t("接收者：昵称、群名或标识")} value=${q} onInput=${(event) => setQ(event.target.value)} />
      <a class="button" href=${`/console/api/message.csv${query({ state, q })}`} download>${t("导出 CSV")}</a></div>
    <${Listing} list=${list} empty=${q ? t("没有找到。") : t("没有。")}><${Table} caption=${t("消息")} heads=${[t("时间"), t("助手"), t("发给"), t("内容"), t("状态"), ""]}>${list.rows.map((one) => html`<tr key=${one.id}>
      <td><${Time} at=${one.created_at} /></td><td>${one.assistant}</td><td title=${one.to}>${one.name || one.to}</td><td class="text">${one.text}</td>
      <td class="text"><${State} of=${one.state} /> <span class="quiet small">${one.error}</span></td>
      <td class="act">${again(one) && html`<${Button} kind="bare" onClick=${() => resend(one)}>${t("重发")}<//>`}</td></tr>`)}<//><//>`;
}
