// Simulated faults: duplicated, late and lost events; calls that fail, hang, or lose their answer.
import { changeSetting } from "../actions.js";
import { state } from "../store.js";
import { html, useState } from "../shared/preact.js";
import { Switch } from "./switch.js";

const EVENT_FAULTS = [
  ["late", "慢", "消息和事件晚三秒才到"],
  ["twice", "重复", "消息和事件说两次"],
  ["lost", "丢失", "消息和事件有一半听不到"],
];
const NONE = { late: 0, twice: 0, lost: 0 };
const CHANCES = { late: 1, twice: 1, lost: 0.5 };

/** Faults of events: duplicated, late, lost. */
export function EventFaults({ faults }) {
  const now = faults.events["*"] ?? NONE;
  const set = (fault, on) => changeSetting("PUT", "/api/faults", () => {
    const { late, twice, lost } = { ...(state.faults.events["*"] ?? NONE), [fault]: on ? CHANCES[fault] : 0 };
    return { event: "*", ...(late || twice || lost ? { late, twice, lost, late_ms: 3000 } : {}) };
  });
  return html`
    <h2 class="list-title">机器人听到的</h2>
    ${EVENT_FAULTS.map(([fault, label, hint]) => html`
      <${Switch} key=${fault} label=${label} hint=${hint} checked=${now[fault] > 0} onChange=${(on) => set(fault, on)} />`)}`;
}

const METHODS = {
  "*": "所有调用",
  MessageSendText: "发文字",
  MessageSendFileStream: "发文件",
  RoomCreate: "建群",
  RoomAdd: "拉人进群",
  RoomDel: "移出群",
  RoomTopic: "改群名",
  FriendshipAccept: "通过好友",
};
const EFFECTS = {
  fail: "失败",
  hang: "不回应",
  lose: "做了，但答复断了",
  lose_silently: "做了，但没有答复",
  slow: "慢三秒",
};

/** Faults of calls: failing, hanging. */
export function CallFaults({ faults }) {
  const [call, setCall] = useState("MessageSendText");
  const [effect, setEffect] = useState("fail");
  const [count, setCount] = useState("1");
  const add = (event) => {
    event.preventDefault();
    const times = count === "" ? {} : { count: Number(count) };
    changeSetting("PUT", "/api/faults", { call, effect, ...times, ...(effect === "slow" ? { ms: 3000 } : {}) });
  };
  const any = faults.calls.length > 0 || Object.keys(faults.events).length > 0;
  return html`
    <h2 class="list-title">机器人调用的</h2>
    <form class="fault-form" onSubmit=${add}>
      <${Choice} label="调用" value=${call} options=${METHODS} onChange=${setCall} />
      <${Choice} label="结果" value=${effect} options=${EFFECTS} onChange=${setEffect} />
      <label><span>次数</span><input type="number" min="1" placeholder="一直" value=${count} onInput=${(event) => setCount(event.target.value)} /></label>
      <button type="submit">加上</button>
    </form>
    <ul class="fault-list" aria-label="现在的故障">
      ${faults.calls.map((fault) => html`<li>${METHODS[fault.method] ?? fault.method}：${EFFECTS[fault.effect]}
        <span class="faint">${fault.count ? `还有 ${fault.count} 次` : "一直"}</span></li>`)}
    </ul>
    ${any && html`<button type="button" class="plain-line" onClick=${() => changeSetting("DELETE", "/api/faults")}>一切恢复正常</button>`}`;
}

function Choice({ label, value, options, onChange }) {
  return html`
    <label><span>${label}</span><select value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${Object.entries(options).map(([key, name]) => html`<option key=${key} value=${key}>${name}</option>`)}
    </select></label>`;
}
