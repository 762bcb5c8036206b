// Settings of the sandbox: logins of the assistants, simulated faults, and limits of WeChat.
import { changeSetting } from "../actions.js";
import { html, useRef } from "../shared/preact.js";
import { useTyped } from "../shared/typed.js";
import { CallFaults, EventFaults } from "./faults.js";
import { toggleTrace } from "./rail.js";
import { Switch } from "./switch.js";

/** All settings. */
export function Tools({ store }) {
  return html`
    <section class="list-pane tools-pane" aria-label="沙箱">
      <header class="list-head"><h1>沙箱</h1></header>
      <div class="tools-scroll">
        <${Accounts} store=${store} />
        <${EventFaults} faults=${store.faults} />
        <${RateLimit} limits=${store.limits} />
        <${CallFaults} faults=${store.faults} />
        <${Rules} rules=${store.rules} />
        <button type="button" class="plain-line" onClick=${() => toggleTrace(store)}>
          ${store.panel === "trace" ? "收起" : "看"}机器人听到和调用的</button>
      </div>
    </section>`;
}

function Accounts({ store }) {
  const act = (name, action) => changeSetting("POST", `/api/accounts/${encodeURIComponent(name)}/${action}`, {});
  return html`
    <h2 class="list-title">助手</h2>
    ${store.accounts.map((account) => html`
      <div key=${account.name} class="account">
        <img class="avatar" src=${account.avatar} alt="" />
        <span class="account-name">${account.nickname}<small>${account.connected ? "机器人已连接" : "没有机器人连接"} · ${account.endpoint}</small></span>
        <${Switch} label="登录" checked=${account.online} onChange=${(on) => act(account.name, on ? "login" : "logout")} />
      </div>`)}`;
}

function RateLimit({ limits }) {
  const last = useRef(5); // also while it is off
  if (limits.message) last.current = limits.message.times;
  const now = last.current;
  const [times, setTimes, store] = useTyped(now);
  const set = async (on) => {
    const put = (given) => changeSetting("PUT", "/api/limits", { action: "message", times: on ? Number(given) : null, seconds: 60 });
    if (times === "" || !(await store(put))) setTimes((typed) => (typed === times ? now : typed));
  };
  return html`
    <h2 class="list-title">频率</h2>
    <${Switch} label="操作过于频繁" hint="助手每分钟最多发这么多条消息" checked=${"message" in limits} onChange=${set} />
    <label class="number-line"><span>每分钟</span><input type="number" min="0" max="1000" value=${times}
      onInput=${(event) => setTimes(event.target.value)} onChange=${() => "message" in limits && set(true)} /></label>`;
}

const RULES = { direct_limit: "这么多人起要对方确认", capacity: "群人数上限", qr_limit: "这么多人起不能扫码进群" };

function Rules({ rules }) {
  const keys = Object.keys(RULES).filter((key) => key in rules);
  return html`
    <h2 class="list-title">规则</h2>
    ${keys.map((key) => html`<${Rule} key=${key} label=${RULES[key]} value=${rules[key]}
      onSave=${(value) => changeSetting("PUT", "/api/rules", { [key]: value })} />`)}`;
}

/** An editable number; if saving fails, the old value is restored. */
function Rule({ label, value, onSave }) {
  const [text, setText, store] = useTyped(value);
  const save = async () => (await store((given) => onSave(Number(given)))) || setText((now) => (now === text ? value : now));
  return html`
    <label class="number-line"><span>${label}</span><input type="number" min="3" max="10000" value=${text}
      onInput=${(event) => setText(event.target.value)} onChange=${save} /></label>`;
}
