// 对接: webhooks and their deliveries, running flows, business systems.
import { call, query } from "../api.js";
import { Button, Listing, State, Table, Tabs, Time, sure, toast, tryTo, useList, useLoad } from "../ui.js";
import { html, useState } from "../shared/preact.js";
import { t } from "../words.js";

const ALLOWED = { admins: "管理员", owners: "群主", everyone: "所有人" };
const STATES = [["failed", "失败"], ["queued", "排队中"], ["sent", "已发送"]];

export function Connections({ admin }) {
  const all = useLoad("/connections", (change) => change.kind === "work");
  return html`<div class="heading"><h1>${t("对接")}</h1></div><div class="stack">
    <${Listing} list=${{ ...all, rows: all.data ? [1] : [] }} empty="">${all.data && html`
      <div class="halves"><${Webhooks} all=${all.data} /><${Systems} all=${all.data} /><${Flows} all=${all.data} /></div>
      <${Runs} all=${all.data} admin=${admin} reload=${all.reload} />`}<//>
    <${Deliveries} admin=${admin} /></div>`;
}

function Webhooks({ all }) {
  return html`<section class="card stack"><h2>${t("通知地址")}</h2>
    ${all.webhooks.map((hook) => html`<div key=${hook.name}><b>${hook.name}</b> <span class="quiet">${t("等待 {n}", { n: hook.waiting })}</span><br /><span class="mono quiet">${hook.url}</span></div>`)}
    ${!all.webhooks.length && html`<p class="quiet">${t("配置文件里还没有 webhooks。")}</p>`}</section>`;
}

function Systems({ all }) {
  return html`<section class="card stack"><h2>${t("业务系统")}</h2>
    ${all.systems.map((one) => html`<div key=${one.name}><b>${one.name}</b> <span class="mono quiet">${one.url}</span></div>`)}
    ${!all.systems.length && html`<p class="quiet">${t("配置文件里还没有 systems。")}</p>`}</section>`;
}

function Flows({ all }) {
  const start = (flow) => t("说“{word}”开始", { word: flow.start.join(" / ") });
  return html`<section class="card stack"><h2>${t("配置的流程")}</h2>
    ${all.configured_flows.map((flow) => html`<div key=${flow.name}><b>${flow.name}</b> <span class="quiet">${t(ALLOWED[flow.allow])}${t("，")}${start(flow)}</span></div>`)}
    ${!all.configured_flows.length && html`<p class="quiet">${t("配置文件里还没有 flows。")}</p>`}</section>`;
}

function Runs({ all, admin, reload }) {
  const end = async (run) => (await sure(t("结束这个流程？对方会收到通知。"), t("结束流程"))) && tryTo(async () => { await call("POST", `/flow/${run.id}/end`, {}); await reload(); }, t("已结束"));
  return html`<section class="stack"><h2>${t("进行中的流程")}</h2><${Listing} list=${{ rows: all.flows }} empty=${t("没有进行中的流程。")}>
    <${Table} caption=${t("进行中的流程")} heads=${["#", t("流程"), t("发起人"), t("步骤"), t("状态"), t("开始"), ""]}>${all.flows.map((run) => html`<tr key=${run.id}>
      <td class="number">${run.id}</td><td>${run.flow}</td><td title=${run.person}>${run.name || run.person}</td><td class="number">${run.step}</td><td><${State} of=${run.state} /></td><td><${Time} at=${run.started_at} /></td>
      <td class="act">${admin && html`<${Button} kind="bare danger" onClick=${() => end(run)}>${t("结束流程")}<//>`}</td></tr>`)}<//><//></section>`;
}

function Deliveries({ admin }) {
  const [state, setState] = useState("failed");
  const list = useList(`/webhook${query({ state })}`, "deliveries", (change) => change.kind === "work");
  const resend = (one) => tryTo(async () => {
    const { sent_again } = await call("POST", `/webhook/${one.id}/resend`, {});
    toast(sent_again ? t("已重新排队发送") : t("它没有失败，无需重发"));
    await list.reload();
  });
  return html`<div class="row wrap between"><h2>${t("通知")}</h2><${Tabs} label=${t("状态")} value=${state} onChange=${setState} options=${STATES.map(([id, words]) => [id, t(words)])} /></div>
    <${Listing} list=${list} empty=${state === "failed" ? t("没有失败的通知。") : t("没有。")}>
      <${Table} caption=${t("通知")} heads=${[t("地址"), t("类型"), t("状态"), t("次数"), t("时间"), ""]}>${list.rows.map((one) => html`<tr key=${one.id}>
        <td>${one.webhook}</td><td class="mono">${one.type}</td><td class="text"><${State} of=${one.state} /> <span class="quiet small">${one.error}</span></td><td class="number">${one.attempts}</td><td><${Time} at=${one.created_at} /></td>
        <td class="act">${admin && one.state === "failed" && html`<${Button} kind="bare" onClick=${() => resend(one)}>${t("重发")}<//>`}</td></tr>`)}<//><//>`;
}
