// 群发与定时: the broadcasts with their results, and the timed messages.
import { call } from "../api.js";
import { ChooseGroups } from "../choose.js";
import { Button, Dialog, Field, Listing, State, Table, Tabs, Time, sure, toast, tryTo, useList, useLoad } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { html, useEffect, useState } from "../shared/preact.js";
import { actor, t } from "../words.js";
import { NewBroadcast } from "./new-broadcast.js";

export function Outreach({ admin }) {
  const [view, setView] = useState("broadcasts");
  const [making, setMaking] = useState("");
  const View = view === "broadcasts" ? Broadcasts : Timed;
  return html`<div class="heading"><h1>${t("群发与定时")}</h1><div class="tools">
      <${Tabs} label=${t("视图")} value=${view} onChange=${setView} options=${[["broadcasts", t("群发")], ["timed", t("定时")]]} />
      ${admin && html`<button type="button" class="plain main" onClick=${() => setMaking(view)}>${view === "timed" ? t("新的定时消息") : t("新的群发")}</button>`}</div></div>
    <${View} key=${`${view}${making}`} admin=${admin} />
    ${making === "broadcasts" && html`<${NewBroadcast} onClose=${() => setMaking("")} />`}
    ${making === "timed" && html`<${NewTimed} onClose=${() => setMaking("")} />`}`;
}

function Broadcasts({ admin }) {
  const list = useList("/broadcast", "broadcasts");
  const [open, setOpen] = useState(null);
  return html`<${Listing} list=${list} empty=${t("还没有群发。")}><${Table} caption=${t("群发")} heads=${["#", t("内容"), t("创建者"), t("时间"), ""]}>${list.rows.map((one) => html`<tr key=${one.id}>
      <td class="number">${one.id}</td><td class="text">${one.text || (one.name ? `[${one.name}]` : t("[图片或文件]"))}</td><td>${actor(one.by, one.by_name)}</td>
      <td><${Time} at=${one.run_at ?? one.created_at} />${one.cancelled ? html` <${State} of="cancelled" />` : one.scheduled && html` <${State} of="scheduled" />`}</td>
      <td class="act">${admin && one.scheduled && html`<${Button} kind="bare danger" onClick=${() => cancel(one.id, list.reload)}>${t("取消发送")}<//>`}
        <button type="button" class="bare" onClick=${() => setOpen(one.id)}>${t("结果")}</button></td></tr>`)}<//><//>
    ${open && html`<${Result} id=${open} admin=${admin} onClose=${() => { setOpen(null); list.reload(); }} />`}`;
}

/** Stop a broadcast after asking; what has been sent stays. */
async function cancel(id, reload) {
  if (!(await sure(t("取消这次群发？还没有发出的不再发送，已经发出的收不回来。"), t("取消发送")))) return;
  await tryTo(async () => {
    const { cancelled } = await call("POST", `/broadcast/${id}/cancel`, {});
    toast(cancelled ? t("已取消，{n} 条不再发送", { n: cancelled }) : t("已经全部发出，没有可取消的"));
    await reload();
  });
}

function Result({ id, admin, onClose }) {
  const list = useLoad(`/broadcast/${id}`);
  const one = list.data?.broadcast;
  const receivers = one ? [...one.groups.map((group) => [group.topic || `#${group.number}`, t("群"), group.state]), ...one.friends.map((friend) => [friend.name || friend.contact_id, t("好友"), friend.state])] : [];
  const count = (...states) => receivers.filter((receiver) => states.includes(receiver[2])).length;
  useEffect(() => {
    if (!one || !count("queued", "sending")) return undefined;
    const timer = setTimeout(list.reload, 2000);
    return () => clearTimeout(timer);
  }, [list.data]);
  return html`<${Dialog} title=${t("群发结果")} onClose=${onClose}>${one ? html`<p><${State} of=${one.state} />　${t("已发送 {sent}，失败 {failed}，共 {all}", { sent: count("sent"), failed: count("failed", "unknown"), all: receivers.length })}</p>
    <div class="pick"><table><tbody>${receivers.map(([name, kind, state], at) => html`<tr key=${at}><td class="text">${name}</td><td class="quiet small">${kind}</td><td class="act"><${State} of=${state} /></td></tr>`)}</tbody></table></div>`
    : html`<div class="empty" aria-busy=${!list.error}>${list.error ? list.error.message : t("正在读取…")}</div>`}
    <div class="end">${admin && count("queued") > 0 && html`<${Button} kind="danger" onClick=${() => cancel(id, list.reload)}>${t("取消发送")}<//>`}
      <button type="button" class="plain" onClick=${onClose}>${t("关闭")}</button></div><//>`;
}

function Timed({ admin }) {
  const list = useList("/timed", "timed");
  const remove = async (one) => (await sure(t("删除这条定时消息？"), t("删除"))) && tryTo(async () => { await call("DELETE", `/timed/${one.id}`); await list.reload(); }, t("已删除"));
  return html`<${Listing} list=${list} empty=${t("还没有定时消息。")}><${Table} caption=${t("定时")} heads=${[t("群"), t("内容"), t("时间表"), t("下一次"), ""]}>${list.rows.map((one) => html`<tr key=${one.id}>
    <td>${one.topic}</td><td class="text">${one.text}</td><td>${schedule(one.cron)}</td><td><${Time} at=${one.next_at} /></td>
    <td class="act">${admin && html`<${Button} kind="bare danger" onClick=${() => remove(one)}>${t("删除")}<//>`}</td></tr>`)}<//><//>`;
}

const DAYS = [["*", "每天"], ["1-5", "周一到周五"], ["6,0", "周末"], ["1", "每周一"], ["2", "每周二"], ["3", "每周三"], ["4", "每周四"], ["5", "每周五"], ["6", "每周六"], ["0", "每周日"]];

/** A crontab line in words where it is one that this page makes; else as it is. */
function schedule(cron) {
  const [minute, hour, day, month, week] = cron.split(" ");
  const words = DAYS.find(([id]) => id === week)?.[1];
  const plain = words && day === "*" && month === "*" && /^\d+$/.test(minute) && /^\d+$/.test(hour);
  return plain ? `${t(words)} ${hour.padStart(2, "0")}:${minute.padStart(2, "0")}` : html`<span class="mono">${cron}</span>`;
}

function NewTimed({ onClose }) {
  const [text, setText] = useState("");
  const [time, setTime] = useState("09:00");
  const [days, setDays] = useState("*");
  const [chosen, setChosen] = useState(new Set());
  useUnsaved(text !== "");
  const save = async () => {
    const [hour, minute] = time.split(":").map(Number);
    const body = { number: [...chosen][0], cron: `${minute} ${hour} * * ${days}`, text };
    if (await tryTo(() => call("POST", "/timed", body), t("已保存"))) onClose();
  };
  return html`<${Dialog} title=${t("新的定时消息")} onClose=${onClose} changed=${text !== ""}><${Field} label=${t("内容")}><textarea value=${text} maxlength="4000" onInput=${(event) => setText(event.target.value)}></textarea><//>
    <${ChooseGroups} one chosen=${chosen} setChosen=${setChosen} />
    <div class="row wrap"><label class="field"><span>${t("时间")}</span><input type="time" value=${time} onInput=${(event) => setTime(event.target.value)} /></label>
      <label class="field grow"><span>${t("重复")}</span><select value=${days} onChange=${(event) => setDays(event.target.value)}>${DAYS.map(([id, words]) => html`<option key=${id} value=${id}>${t(words)}</option>`)}</select></label></div>
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button><${Button} kind="main" disabled=${!text.trim() || !chosen.size || !time} onClick=${save}>${t("保存")}<//></div><//>`;
}
