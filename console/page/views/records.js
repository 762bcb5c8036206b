// 记录: the audit log and the sent messages.
import { call, query } from "../api.js";
import { Button, Listing, State, Table, Tabs, Time, toast, tryTo, useList } from "../ui.js";
import { html, useState } from "../vendor/preact.js";
import { t } from "../words.js";

export function Records({ admin }) {
  const [view, setView] = useState("audit");
  const View = view === "audit" ? Audit : Messages;
  return html`<div class="heading"><h1>${t("记录")}</h1><${Tabs} label=${t("看什么")} value=${view} onChange=${setView} options=${[["audit", t("操作")], ["messages", t("消息")]]} /></div><${View} admin=${admin} />`;
}

function Audit() {
  const [who, setWho] = useState("");
  const [kind, setKind] = useState("");
  const [since, setSince] = useState("");
  const wanted = query({ who, kind, since: since && new Date(since).toISOString() });
  const list = useList(`/audit${wanted}`, "actions");
  const details = (detail) => Object.entries(detail).map(([name, value]) => `${name}: ${value}`).join("\n");
  return html`<div class="row wrap"><input class="find" type="search" aria-label=${t("谁")} placeholder=${t("谁，如 person:wxid_…")} value=${who} onInput=${(event) => setWho(event.target.value)} /><input class="find" type="search" aria-label=${t("什么")} placeholder=${t("什么，如 topic")} value=${kind} onInput=${(event) => setKind(event.target.value)} /><input class="short" type="datetime-local" aria-label=${t("从什么时候")} value=${since} onInput=${(event) => setSince(event.target.value)} /><a class="button" href=${`/console/api/audit.csv${wanted}`} download>${t("导出 CSV")}</a></div><p></p>
    <${Listing} list=${list} empty=${t("没有找到。")}><${Table} caption=${t("操作")} heads=${[t("时间"), t("谁"), t("什么"), t("对象"), t("结果"), t("详情")]}>${list.rows.map((one) => html`<tr key=${one.id}><td><${Time} at=${one.at} /></td><td class="mono">${one.who}</td><td>${one.kind}</td><td class="mono">${one.target}</td><td><${State} of=${one.outcome} /></td><td class="text small">${details(one.detail)}${one.seen && `\n${one.seen}`}</td></tr>`)}<//><//>`;
}

function Messages({ admin }) {
  const [state, setState] = useState("");
  const list = useList(`/message${query({ state })}`, "messages", (change) => change.kind === "work");
  const resend = (one) => tryTo(async () => {
    const { sent_again } = await call("POST", `/message/${one.id}/resend`, {});
    toast(sent_again ? t("已重新排队发送") : t("它没有失败，不用重发"));
    await list.reload();
  });
  return html`<div class="row"><${Tabs} label=${t("状态")} value=${state} onChange=${setState} options=${[["", t("全部")], ["queued", t("排队中")], ["failed", t("失败")], ["unknown", t("结果未知")]]} /></div><p></p>
    <${Listing} list=${list} empty=${t("没有。")}><${Table} caption=${t("消息")} heads=${[t("时间"), t("发给"), t("内容"), t("状态"), ""]}>${list.rows.map((one) => html`<tr key=${one.id}><td><${Time} at=${one.created_at} /></td><td>${one.name || one.to}</td><td class="text">${one.text}</td><td class="text"><${State} of=${one.state} /> <span class="quiet small">${one.error}</span></td><td class="act">${admin && (one.state === "failed" || one.state === "unknown") && html`<${Button} kind="bare" onClick=${() => resend(one)}>${t("重发")}<//>`}</td></tr>`)}<//><//>`;
}
