// 概览: accounts, pending work, statistics.
import { Chart } from "../chart.js";
import { Listing, State, useLoad } from "../ui.js";
import { html, useEffect } from "../vendor/preact.js";
import { ago, t } from "../words.js";

const PACE = { message: "消息", group: "建群", add: "拉人", accept: "通过好友" };

export function Overview({ admin }) {
  const list = useLoad("/overview", (change) => change.kind !== "presence");
  useEffect(() => {
    const timer = setInterval(list.reload, 30000);
    return () => clearInterval(timer);
  }, [list.reload]);
  const all = list.data;
  return html`<div class="heading"><h1>${t("概览")}</h1></div>
    <${Listing} list=${{ ...list, rows: all ? [1] : [] }} empty="">${all && html`<${Body} all=${all} admin=${admin} />`}<//>`;
}

function Body({ all, admin }) {
  const today = all.days.at(-1);
  const days = all.days.map((day) => day.day);
  const of = (name) => all.days.map((day) => day[name]);
  const waits = Object.values(all.queues).reduce((sum, count) => sum + count, 0);
  return html`<div class="figures">
      <${Figure} name=${t("等待接待")} value=${all.tickets.waiting} more=${all.tickets.oldest && t("最久 {t}", { t: ago(all.tickets.oldest) })} href="#/tickets" alarm=${all.tickets.waiting > 0} />
      <${Figure} name=${t("进行中的工单")} value=${all.tickets.open} href="#/tickets" />
      <${Figure} name=${t("今日群消息")} value=${today.messages} />
      <${Figure} name=${t("今日入群")} value=${today.joins} more=${t("退群 {n}", { n: today.leaves })} />
      <${Figure} name=${t("待发送")} value=${waits} href="#/records" />
      <${Figure} name=${t("未送达的通知")} value=${all.failed_webhooks} href="#/connections" alarm=${all.failed_webhooks > 0} />
    </div>
    <div class="stack">
      <div class="cards">${all.accounts.map((one) => html`<${Account} key=${one.account} one=${one} admin=${admin} />`)}</div>
      <div class="halves">
        <section class="card stack"><h2>${t("群消息，30 天")}</h2><${Chart} label=${t("群消息")} days=${days} series=${[[t("消息"), of("messages"), "--brand"]]} /></section>
        <section class="card stack"><h2>${t("入群与退群，30 天")}</h2><${Chart} label=${t("入群与退群")} days=${days} series=${[[t("入群"), of("joins"), "--brand"], [t("退群"), of("leaves"), "--bad"]]} /></section>
        <section class="card stack"><h2>${t("工单，30 天")}</h2><${Chart} label=${t("工单")} days=${days} series=${[[t("新工单"), of("tickets"), "--brand"]]} /></section>
      </div>
    </div>`;
}

function Figure({ name, value, more, href, alarm }) {
  const inner = html`<div class="quiet small">${name}</div><div class="figure">${value}</div><div class="quiet small">${more || "\u00a0"}</div>`;
  return html`<div class="card">${href ? html`<a href=${href} class=${`figure-link ${alarm ? "alarm" : ""}`}>${inner}</a>` : inner}</div>`;
}

function Account({ one, admin }) {
  return html`<section class="card stack" aria-label=${one.account}>
    <div class="row between"><h2 class="grow">${one.account}</h2><${State} of=${one.state} /></div>
    ${one.reason && html`<p class=${one.state === "online" ? "quiet" : "warning"}>${one.reason}</p>`}
    ${one.scan !== "none" && html`<${Scan} one=${one} admin=${admin} />`}
    <dl class="facts small">
      <dt>${t("这个状态")}</dt><dd>${one.since ? ago(one.since) : t("启动以来")}</dd>
      <dt>${t("好友")}</dt><dd class="number">${one.friends}</dd>
      <dt>${t("群")}</dt><dd class="number">${one.groups}</dd>
      <dt>${t("待发送")}</dt><dd class="number">${one.waiting}</dd>
      <dt>${t("客服群")}</dt><dd>${one.staff_room || t("还没有绑定")}</dd>
    </dl>
    <div class="stack small">${Object.entries(one.pace).map(([kind, ratio]) => html`<div key=${kind}>
      <div class="row between"><span class="quiet">${t(PACE[kind] ?? kind)}</span><span class="number">${Math.round(ratio * 100)}%</span></div>
      <${Bar} ratio=${ratio} label=${t("{kind} 已用的频率", { kind: t(PACE[kind] ?? kind) })} /></div>`)}</div>
  </section>`;
}

function Bar({ ratio, label }) {
  const percent = Math.min(100, Math.round(ratio * 100));
  return html`<div class="bar" role="meter" aria-label=${label} aria-valuenow=${percent} aria-valuemin="0" aria-valuemax="100"><i class=${percent >= 100 ? "full" : ""} style=${{ width: `${percent}%` }}></i></div>`;
}

function Scan({ one, admin }) {
  const words = { waiting: "请用微信扫码登录", scanned: "已扫码，请在手机上确认", expired: "二维码已过期，新的马上就来" }[one.scan];
  return html`<div class="stack" role="status">${admin && html`<img class=${`qr ${one.scan === "waiting" ? "" : "faded"}`} src=${`/console/api/assistant/${encodeURIComponent(one.account)}/login.svg?${one.since}${one.scan}`} alt=${t("登录二维码")} />`}
    <p class="warning">${admin ? t(words) : t("等待管理员扫码登录")}</p></div>`;
}
