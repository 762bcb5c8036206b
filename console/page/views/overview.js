// 概览: accounts, pending work, statistics.
import { Chart } from "../chart.js";
import { useLoad } from "../load.js";
import { html, useEffect } from "../shared/preact.js";
import { Loaded, State } from "../ui.js";
import { formatAge, t } from "../words.js";
import { LoginCode } from "./login-code.js";

const LIMITS = { message: "消息", group: "建群", add: "拉人" };
const COLOURS = ["--brand", "--warn", "--bad"];
const REFRESH_INTERVAL = 30_000; // milliseconds

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => (values.length ? sum(values) / values.length : 0);
const formatPercent = (value) => `${Math.round(value * 100)}%`;

function formatDuration(seconds) {
  if (seconds < 90) return t("{n} 秒", { n: Math.round(seconds) });
  return seconds < 5400 ? t("{n} 分", { n: Math.round(seconds / 60) }) : t("{n} 时", { n: Math.round(seconds / 360) / 10 });
}

export function Overview({ admin }) {
  const resource = useLoad("/overview", (change) => change.kind !== "presence");
  useEffect(() => {
    const timer = setInterval(resource.reload, REFRESH_INTERVAL);
    return () => clearInterval(timer);
  }, [resource.reload]);
  return html`<div class="heading"><h1>${t("概览")}</h1></div>
    <${Loaded} resource=${resource}>${(data) => html`<${Figures} data=${data} />
      <div class="stack"><div class="cards">${data.accounts.map((account) =>
        html`<${Account} key=${account.account} account=${account} admin=${admin} />`)}</div>
        <${Charts} days=${data.days} limits=${data.pace} /></div>`}<//>`;
}

function Figures({ data: { accounts, days, queues, tickets, failed_webhooks: failed } }) {
  const today = days.at(-1);
  const pending = sum(accounts.map((account) => account.waiting));
  const webhooks = sum(Object.entries(queues).filter(([name]) => name.startsWith("hook:")).map(([, count]) => count));
  const oldest = tickets.oldest && t("等待最久：{t}", { t: formatAge(tickets.oldest) });
  return html`<div class="figures">
    <${Figure} name=${t("等待接待")} value=${tickets.waiting} detail=${oldest} href="#/tickets" alarm=${tickets.waiting > 0} />
    <${Figure} name=${t("未结束的工单")} value=${tickets.open} detail=${t("今日新增 {n}", { n: today.tickets })} href="#/tickets" />
    <${Figure} name=${t("今日群消息")} value=${today.messages} />
    <${Figure} name=${t("今日入群")} value=${today.joins} detail=${t("退群 {n}", { n: today.leaves })} />
    <${Figure} name=${t("待发送的消息")} value=${pending} href="#/records" />
    <${Figure} name=${t("失败的通知")} value=${failed} detail=${t("等待 {n}", { n: webhooks })} href="#/connections" alarm=${failed > 0} />
  </div>`;
}

function Figure({ name, value, detail, href, alarm }) {
  const content = html`<div class="muted small">${name}</div><div class="figure">${value}</div>
    <div class="muted small">${detail || "\u00a0"}</div>`;
  if (!href) return html`<div class="card">${content}</div>`;
  return html`<a href=${href} class=${`card figure-link ${alarm ? "alarm" : ""}`}>${content}</a>`;
}

/** `limits`: the peaks of each day, as ratios of the rate limits. */
function Charts({ days, limits }) {
  const dates = days.map(({ day }) => day);
  const valuesOf = (name) => days.map((day) => day[name]);
  const peaks = (kind) => dates.map((day) =>
    Math.max(0, ...limits.filter((peak) => peak.day === day && peak.kind === kind).map((peak) => peak.ratio)));
  const chart = (title, label, series, options) => html`<section class="card stack"><h2>${title}</h2>
    <${Chart} label=${label} days=${dates} series=${series} ...${options} /></section>`;
  const ofLimits = Object.entries(LIMITS).map(([kind, text], index) => [t(text), peaks(kind), COLOURS[index]]);
  return html`<div class="columns">
    ${chart(t("消息，30 天"), t("消息"), [
      [t("群消息"), valuesOf("messages"), "--brand"],
      [t("助手发出"), valuesOf("sent"), "--warn"],
    ])}
    ${chart(t("入群与退群，30 天"), t("入群与退群"), [
      [t("入群"), valuesOf("joins"), "--brand"],
      [t("退群"), valuesOf("leaves"), "--bad"],
    ])}
    ${chart(t("工单，30 天"), t("工单"), [
      [t("新工单"), valuesOf("tickets"), "--brand"],
      [t("已回复"), valuesOf("answered"), "--warn"],
    ])}
    ${chart(t("首次回复用时，30 天"), t("首次回复用时"), [[t("中位数"), valuesOf("first_answer"), "--brand"]],
      { format: formatDuration, total: mean })}
    ${chart(t("频率用量峰值，30 天"), t("频率用量峰值"), ofLimits,
      { format: formatPercent, total: (values) => Math.max(0, ...values), step: 0.01 })}
  </div>`;
}

function Account({ account, admin }) {
  const isOnline = account.state === "online";
  return html`<section class="card stack" aria-label=${account.account}>
    <div class="row between"><h2 class="grow">${account.account}</h2><${State} of=${account.state} /></div>
    ${account.away_long && html`<p class="error">${t("已离线：{t}", { t: formatAge(account.away_since) })}</p>`}
    ${account.reason && html`<p class=${isOnline ? "muted" : "warning"}>${account.reason}</p>`}
    ${account.scan !== "none" && html`<${LoginCode} account=${account} admin=${admin} />`}
    <dl class="facts small">
      <dt>${isOnline ? t("上线") : t("起始时间")}</dt><dd>${account.since ? formatAge(account.since) : t("启动时")}</dd>
      <dt>${t("好友")}</dt><dd class="number">${account.friends}</dd>
      <dt>${t("群")}</dt><dd class="number">${account.groups}</dd>
      <dt>${t("待发送")}</dt><dd class="number">${account.waiting}</dd>
      ${account.holder && html`<dt>${t("进程")}</dt><dd class="mono">${account.holder}</dd>`}
      <dt>${t("客服群")}</dt><dd><${StaffRoom} name=${account.staff_room} admin=${admin} /></dd>
    </dl>
    <div class="stack small"><div class="muted">${t("当前频率用量")}</div>
      ${Object.entries(account.pace).map(([kind, ratio]) => html`<${LimitUse} key=${kind} kind=${kind} ratio=${ratio} />`)}</div>
  </section>`;
}

function StaffRoom({ name, admin }) {
  if (name) return name;
  return admin ? html`<a href="#/settings">${t("还没有绑定")}</a>` : t("还没有绑定");
}

/** How much of a rate limit is used. */
function LimitUse({ kind, ratio }) {
  const name = t(LIMITS[kind] ?? kind);
  const percent = Math.min(100, Math.round(ratio * 100));
  return html`<div class="limit-use"><span>${name}</span>
    <div class="bar" role="meter" aria-label=${t("{kind} 已用的频率", { kind: name })}
      aria-valuenow=${percent} aria-valuemin="0" aria-valuemax="100">
      <i class=${percent >= 100 ? "full" : ""} style=${{ width: `${percent}%` }}></i></div>
    <span class="number">${formatPercent(ratio)}</span></div>`;
}
