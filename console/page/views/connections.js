// 对接: webhooks and their deliveries, running flows, business systems.
import { call, query } from "../api.js";
import { attempt, confirmAction } from "../dialogs.js";
import { useList, useLoad } from "../load.js";
import { html, useState } from "../shared/preact.js";
import { Button, Listing, Loaded, State, Table, Tabs, Time } from "../ui.js";
import { t } from "../words.js";
import { resend } from "./resend.js";

export function Connections({ admin }) {
  const resource = useLoad("/connections", (change) => change.kind === "work");
  return html`<div class="heading"><h1>${t("对接")}</h1></div><div class="stack">
    <${Loaded} resource=${resource}>${({ webhooks, systems, configured_flows: configured, flows }) => html`
      <div class="columns"><${Webhooks} webhooks=${webhooks} /><${Systems} systems=${systems} />
        <${ConfiguredFlows} flows=${configured} /></div>
      <${RunningFlows} flows=${flows} admin=${admin} reload=${resource.reload} />`}<//>
    <${Deliveries} admin=${admin} /></div>`;
}

function Webhooks({ webhooks }) {
  const webhook = ({ name, url, waiting }) => html`<div key=${name}><b>${name}</b>${" "}
    <span class="muted">${t("等待 {n}", { n: waiting })}</span><br /><span class="mono muted">${url}</span></div>`;
  return html`<section class="card stack"><h2>${t("通知地址")}</h2>${webhooks.map(webhook)}
    ${!webhooks.length && html`<p class="muted">${t("配置文件里还没有 webhooks。")}</p>`}</section>`;
}

function Systems({ systems }) {
  const system = ({ name, url }) => html`<div key=${name}><b>${name}</b> <span class="mono muted">${url}</span></div>`;
  return html`<section class="card stack"><h2>${t("业务系统")}</h2>${systems.map(system)}
    ${!systems.length && html`<p class="muted">${t("配置文件里还没有 systems。")}</p>`}</section>`;
}

const ALLOWED = { admins: "管理员", owners: "群主", everyone: "所有人" };

function ConfiguredFlows({ flows }) {
  const flow = ({ name, allow, start }) => html`<div key=${name}><b>${name}</b>${" "}
    <span class="muted">${t(ALLOWED[allow])}${t("，")}${t("说“{word}”开始", { word: start.join(" / ") })}</span></div>`;
  return html`<section class="card stack"><h2>${t("配置的流程")}</h2>${flows.map(flow)}
    ${!flows.length && html`<p class="muted">${t("配置文件里还没有 flows。")}</p>`}</section>`;
}

function RunningFlows({ flows, admin, reload }) {
  const end = async (flow) => {
    if (!(await confirmAction(t("结束这个流程？对方会收到通知。"), t("结束流程")))) return;
    await attempt(async () => { await call("POST", `/flow/${flow.id}/end`, {}); await reload(); }, t("已结束"));
  };
  const row = (flow) => html`<tr key=${flow.id}>
    <td class="number">${flow.id}</td><td>${flow.flow}</td><td title=${flow.person}>${flow.name || flow.person}</td>
    <td class="number">${flow.step}</td><td><${State} of=${flow.state} /></td><td><${Time} at=${flow.started_at} /></td>
    <td class="actions">${admin && html`<${Button} kind="bare danger" onClick=${() => end(flow)}>${t("结束流程")}<//>`}</td></tr>`;
  const headings = ["#", t("流程"), t("发起人"), t("步骤"), t("状态"), t("开始"), ""];
  return html`<section class="stack"><h2>${t("进行中的流程")}</h2>
    <${Listing} list=${{ rows: flows }} empty=${t("没有进行中的流程。")}>
      <${Table} caption=${t("进行中的流程")} headings=${headings}>${flows.map(row)}<//><//></section>`;
}

const DELIVERY_STATES = [["failed", "失败"], ["queued", "排队中"], ["sent", "已发送"]];

function Deliveries({ admin }) {
  const [state, setState] = useState("failed");
  const list = useList(`/webhook${query({ state })}`, "deliveries", (change) => change.kind === "work");
  const row = (delivery) => html`<tr key=${delivery.id}>
    <td>${delivery.webhook}</td><td class="mono">${delivery.type}</td>
    <td class="text"><${State} of=${delivery.state} /> <span class="muted small">${delivery.error}</span></td>
    <td class="number">${delivery.attempts}</td><td><${Time} at=${delivery.created_at} /></td>
    <td class="actions">${admin && delivery.state === "failed"
      && html`<${Button} kind="bare" onClick=${() => resend(`/webhook/${delivery.id}`, list.reload)}>${t("重发")}<//>`}</td></tr>`;
  const tabs = DELIVERY_STATES.map(([id, text]) => [id, t(text)]);
  return html`<div class="row wrap between"><h2>${t("通知")}</h2>
      <${Tabs} label=${t("状态")} value=${state} onChange=${setState} options=${tabs} /></div>
    <${Listing} list=${list} empty=${state === "failed" ? t("没有失败的通知。") : t("没有。")}>
      <${Table} caption=${t("通知")} headings=${[t("地址"), t("类型"), t("状态"), t("次数"), t("时间"), ""]}>${list.rows.map(row)}<//><//>`;
}
