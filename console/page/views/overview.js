// 概览: accounts, pending work, statistics.
import { Chart } from "../chart.js";
import { Listing, State, useLoad } from "../ui.js";
import { html, useEffect } from "../shared/preact.js";
import { ago, t } from "../words.js";

const PACE = { message: "消息", group: "建群", add: "拉人" };
const COLOURS = ["--brand", "--warn", "--bad", "--quiet"];

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
  const messages = sum(all.accounts.map((one) => one.waiting));
  const webhooks = sum(Object.entries(all.queues).filter(([name]) => name.startsWith("hook:")).map(([, count]) => count));
  return html`<div class="figures">
      <${Figure} name=${t("等待接待")} value=${all.tickets.waiting} more=${all.tickets.oldest && t("等待最久：{t}", { t: ago(all.tickets.oldest) })} href="#/tickets" alarm=${all.tickets.waiting > 0} />
      <${Figure} name=${t("未结束的工单")} value=${all.tickets.open} more=${t("今日新增 {n}", { n: today.tickets })} href="#/tickets" />
      <${Figure} name=${t("今日群消息")} value=${today.messages} />
      <${Figure} name=${t("今日入群")} value=${today.joins} more=${t("退群 {n}", { n: today.leaves })} />
      <${Figure} name=${t("待发送的消息")} value=${messages} href="#/records" />
      <${Figure} name=${t("失败的通知")} value=${all.failed_webhooks} more=${t("等待 {n}", { n: webhooks })} href="#/connections" alarm=${all.failed_webhooks > 0} />
    </div>
    <div class="stack">
      <div class="cards">${all.accounts.map((one) => html`<${Account} key=${one.account} one=${one} admin=${admin} />`)}</div>
      <${Charts} all=${all} />
    </div>`;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => (values.length ? sum(values) / values.length : 0);
const percent = (value) => `${Math.round(value * 100)}%`;

/** Seconds in few letters. */
function duration(seconds) {
  if (seconds < 90) return t("{n} 秒", { n: Math.round(seconds) });
  return seconds < 5400 ? t("{n} 分", { n: Math.round(seconds / 60) }) : t("{n} 时", { n: Math.round(seconds / 360) / 10 });
}

function Charts({ all }) {
  const days = all.days.map((day) => day.day);
  const of = (name) => all.days.map((day) => day[name]);
  const peaks = (kind) => days.map((day) => Math.max(0, ...all.pace.filter((one) => one.day === day && one.kind === kind).map((one) => one.ratio)));
  const one = (title, label, series, more) => html`<section class="card stack"><h2>${title}</h2><${Chart} label=${label} days=${days} series=${series} ...${more} /></section>`;
  return html`<div class="halves">
    ${one(t("消息，30 天"), t("消息"), [[t("群消息"), of("messages"), "--brand"], [t("助手发出"), of("sent"), "--warn"]])}
    ${one(t("入群与退群，30 天"), t("入群与退群"), [[t("入群"), of("joins"), "--brand"], [t("退群"), of("leaves"), "--bad"]])}
    ${one(t("工单，30 天"), t("工单"), [[t("新工单"), of("tickets"), "--brand"], [t("已回复"), of("answered"), "--warn"]])}
    ${one(t("首次回复用时，30 天"), t("首次回复用时"), [[t("中位数"), of("first_answer"), "--brand"]], { show: duration, total: mean })}
    ${one(t("频率用量峰值，30 天"), t("频率用量峰值"), Object.entries(PACE).map(([kind, words], at) => [t(words), peaks(kind), COLOURS[at]]), { show: percent, total: (values) => Math.max(0, ...values), step: 0.01 })}
  </div>`;
}

function Figure({ name, value, more, href, alarm }) {
  const inner = html`<div class="quiet small">${name}</div><div class="figure">${value}</div><div class="quiet small">${more || "\u00a0"}</div>`;
  return href ? html`<a href=${href} class=${`card figure-link ${alarm ? "alarm" : ""}`}>${inner}</a>` : html`<div class="card">${inner}</div>`;
}

function Account({ one, admin }) {
  return html`<section class="card stack" aria-label=${one.account}>
    <div class="row between"><h2 class="grow">${one.account}</h2><${State} of=${one.state} /></div>
    ${one.away_long && html`<p class="error">${t("已离线：{t}", { t: ago(one.away_since) })}</p>`}
    ${one.reason && html`<p class=${one.state === "online" ? "quiet" : "warning"}>${one.reason}</p>`}
    ${one.scan !== "none" && html`<${Scan} one=${one} admin=${admin} />`}
    <dl class="facts small">
      <dt>${one.state === "online" ? t("上线") : t("起始时间")}</dt><dd>${one.since ? ago(one.since) : t("启动时")}</dd>
      <dt>${t("好友")}</dt><dd class="number">${one.friends}</dd>
      <dt>${t("群")}</dt><dd class="number">${one.groups}</dd>
      <dt>${t("待发送")}</dt><dd class="number">${one.waiting}</dd>
      ${one.holder && html`<dt>${t("进程")}</dt><dd class="mono">${one.holder}</dd>`}
      <dt>${t("客服群")}</dt><dd>${one.staff_room || (admin ? html`<a href="#/settings">${t("还没有绑定")}</a>` : t("还没有绑定"))}</dd>
    </dl>
    <div class="stack small"><div class="quiet">${t("当前频率用量")}</div>${Object.entries(one.pace).map(([kind, ratio]) => html`<div class="pace" key=${kind}>
      <span>${t(PACE[kind] ?? kind)}</span><${Bar} ratio=${ratio} label=${t("{kind} 已用的频率", { kind: t(PACE[kind] ?? kind) })} /><span class="number">${percent(ratio)}</span></div>`)}</div>
  </section>`;
}

function Bar({ ratio, label }) {
  const used = Math.min(100, Math.round(ratio * 100));
  return html`<div class="bar" role="meter" aria-label=${label} aria-valuenow=${used} aria-valuemin="0" aria-valuemax="100"><i class=${used >= 100 ? "full" : ""} style=${{ width: `${used}%` }}></i></div>`;
}

const SCANS = { waiting: "请用微信扫码登录", scanned: "已扫码，请在手机上确认登录", expired: "二维码已过期，正在等待新的二维码" };

/** The login QR code of an account, and how far its scan has come. */
export function Scan({ one, admin }) {
  const address = `/console/api/assistant/${encodeURIComponent(one.account)}/login.svg?${one.since}${one.scan}`;
  return html`<div class="stack" role="status">
    ${admin && html`<img class=${`qr ${one.scan === "waiting" ? "" : "faded"}`} src=${address} alt=${t("登录二维码")} />`}
    <p class="warning">${admin ? t(SCANS[one.scan]) : t("等待管理员扫码登录")}</p></div>`;
}
