// The live trace of the events and calls of an assistant.
import { watchAccount } from "../actions.js";
import { useReturnFocus } from "../focus.js";
import { IconButton, Icon } from "../icons.js";
import { update } from "../store.js";
import { html, useLayoutEffect, useRef, useState } from "../shared/preact.js";
import { exactTime } from "../words.js";
import { describe, title } from "./trace_words.js";

const READ_CALLS = /Payload|List$|Version|Ding|SelfInfo|Signature|Alias$|Download|Upload|MessageFile|MessageImage/;

/** The trace of one assistant. */
export function Panel({ store }) {
  const [all, setAll] = useState(false);
  const account = store.accounts.find((account) => account.name === store.watched);
  const shown = store.trace.filter((entry) => all || !isNoise(entry));
  const box = useRef(null);
  useReturnFocus();
  const end = useRef(true);
  useLayoutEffect(() => { if (end.current) box.current.scrollTop = box.current.scrollHeight; }, [shown.length]);
  const scrolled = ({ target }) => { end.current = target.scrollHeight - target.scrollTop - target.clientHeight < 60; };
  const hide = () => update({ panel: null });
  return html`
    <aside class="panel" aria-label="机器人听到和调用的" onKeyDown=${(event) => event.key === "Escape" && hide()}>
      <header class="panel-head">
        <h2>机器人</h2>
        ${store.accounts.length > 1 && html`<select aria-label="哪个助手" value=${store.watched} onChange=${(event) => watchAccount(event.target.value)}>
          ${store.accounts.map((account) => html`<option key=${account.name} value=${account.name}>${account.name}</option>`)}
        </select>`}
        <span class="dot ${account?.online && account.connected ? "on" : ""}">${connectionState(account)}</span>
        <${IconButton} name="close" label="关闭" onClick=${hide} />
      </header>
      <label class="panel-all"><input type="checkbox" checked=${all} onChange=${() => setAll(!all)} />也显示心跳和读取</label>
      <ol class="trace" ref=${box} onScroll=${scrolled} tabindex="0" aria-label="经过">
        ${shown.map((entry) => html`<${Entry} key=${entry.n} entry=${entry} />`)}
      </ol>
      ${!shown.length && html`<p class="empty">还没有什么。说句话试试。</p>`}
    </aside>`;
}

function connectionState(account) {
  if (!account) return "没有助手";
  if (!account.online) return "已退出登录";
  return account.connected ? "已连接" : "没有机器人连接";
}

function isNoise({ what, name }) {
  return what === "event" ? name === "dirty" || name === "heartbeat" : READ_CALLS.test(name) && !/Set|Send/.test(name);
}

function Entry({ entry }) {
  const isEvent = entry.what === "event";
  const succeeded = entry.outcome === "ok" || entry.outcome === "sent";
  const facts = isEvent ? entry.payload : entry.request;
  const words = describe(entry);
  const outcome = isEvent ? eventOutcome(entry) : succeeded ? "" : entry.outcome;
  return html`
    <li class="entry ${isEvent ? "event" : "call"}">
      <details>
        <summary>
          <time class="faint">${exactTime(entry.at)}</time>
          <${Icon} name=${isEvent ? "event" : "call"} />
          <span class="entry-name"><b>${title(entry)}</b> <code>${entry.name}</code></span>
          ${entry.ms !== undefined && html`<span class="faint">${Math.round(entry.ms)} ms</span>`}
          ${outcome && html`<span class="outcome ${succeeded ? "" : "bad"}">${outcome}</span>`}
          ${words && html`<span class="description">${words}</span>`}
        </summary>
        <pre>${JSON.stringify(facts ?? {}, null, 2)}</pre>
      </details>
    </li>`;
}

function eventOutcome({ outcome, times }) {
  if (outcome === "lost") return "丢失";
  if (outcome === "unsubscribed") return "没有订阅者";
  return times > 1 ? `发送了 ${times} 次` : "";
}
