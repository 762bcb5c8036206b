// 群发与定时: recipients, content and time; a preview; the result per group.
import { call, query } from "../api.js";
import { Button, Dialog, Field, Listing, State, Table, Tabs, Time, sure, tryTo, useList, useLoad } from "../ui.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { moment, t } from "../words.js";

export function Outreach({ admin }) {
  const [view, setView] = useState("broadcasts");
  const [making, setMaking] = useState("");
  const View = view === "broadcasts" ? Broadcasts : Timed;
  return html`<div class="heading"><h1>${t("群发与定时")}</h1><div class="tools"><${Tabs} label=${t("看什么")} value=${view} onChange=${setView} options=${[["broadcasts", t("群发")], ["timed", t("定时")]]} />
      ${admin && html`<button type="button" class="plain main" onClick=${() => setMaking(view)}>${view === "timed" ? t("新的定时消息") : t("新的群发")}</button>`}</div></div>
    <${View} key=${`${view}${making}`} admin=${admin} />
    ${making === "broadcasts" && html`<${NewBroadcast} onClose=${() => setMaking("")} />`}${making === "timed" && html`<${NewTimed} onClose=${() => setMaking("")} />`}`;
}

function Broadcasts() {
  const list = useList("/broadcast", "broadcasts");
  const [open, setOpen] = useState(null);
  return html`<${Listing} list=${list} empty=${t("还没有群发过。")}><${Table} caption=${t("群发")} heads=${[t("内容"), t("谁"), t("时间"), ""]}>${list.rows.map((one) => html`<tr key=${one.id}><td class="text">${one.text || t("[图片或文件]")}</td><td class="mono">${one.by}</td><td><${Time} at=${one.run_at ?? one.created_at} /></td><td class="act"><button type="button" class="bare" onClick=${() => setOpen(one.id)}>${t("结果")}</button></td></tr>`)}<//><//>
    ${open && html`<${Result} id=${open} onClose=${() => setOpen(null)} />`}`;
}

function Result({ id, onClose }) {
  const list = useLoad(`/broadcast/${id}`);
  const one = list.data?.broadcast;
  useEffect(() => {
    if (!one || one.state === "done") return undefined;
    const timer = setTimeout(list.reload, 2000);
    return () => clearTimeout(timer);
  }, [list.data]);
  const count = (state) => one.groups.filter((group) => group.state === state).length;
  return html`<${Dialog} title=${t("群发结果")} onClose=${onClose}>${one ? html`<p><${State} of=${one.state} />　${t("已发送 {sent}，失败 {failed}，共 {all} 个群", { sent: count("sent"), failed: count("failed"), all: one.groups.length })}</p>
    <div class="pick"><table><tbody>${one.groups.map((group) => html`<tr key=${group.number}><td class="text">${group.topic}</td><td class="act"><${State} of=${group.state} /></td></tr>`)}</tbody></table></div>` : html`<div class="empty">${t("正在读取…")}</div>`}
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("关闭")}</button></div><//>`;
}

function Pick({ chosen, setChosen, one }) {
  const [q, setQ] = useState("");
  const list = useList(`/qun${query({ q, state: "active" })}`, "quns");
  const toggle = (number) => setChosen(one ? new Set([number]) : new Set(chosen.has(number) ? [...chosen].filter((each) => each !== number) : [...chosen, number]));
  return html`<input type="search" aria-label=${t("查找群")} placeholder=${t("查找群")} value=${q} onInput=${(event) => setQ(event.target.value)} /><div class="pick"><${Listing} list=${list} empty=${t("没有找到。")}>${list.rows.map((each) => html`<label key=${each.number}><input type=${one ? "radio" : "checkbox"} name="group" checked=${chosen.has(each.number)} onChange=${() => toggle(each.number)} /><span class="grow">${each.topic}</span><span class="quiet number">${each.members}</span></label>`)}<//></div>`;
}

function NewBroadcast({ onClose }) {
  const [text, setText] = useState("");
  const [all, setAll] = useState(true);
  const [chosen, setChosen] = useState(new Set());
  const [at, setAt] = useState("");
  const [previewed, setPreviewed] = useState(false);
  const [key] = useState(() => crypto.randomUUID?.() ?? String(Math.random()));
  const send = async () => {
    const body = { key, text, ...(all ? { all: true } : { quns: [...chosen] }), ...(at ? { at: new Date(at).getTime() / 1000 } : {}) };
    if (await tryTo(() => call("POST", "/broadcast", body), t("已排队发送"))) onClose();
  };
  const whom = all ? t("所有群") : t("{n} 个群", { n: chosen.size });
  if (previewed) return html`<${Dialog} title=${t("确认群发")} onClose=${onClose}><dl class="facts"><dt>${t("发给")}</dt><dd>${whom}</dd><dt>${t("时间")}</dt><dd>${at ? moment(at) : t("现在，按发送频率逐个发")}</dd></dl><div class="answer">${text}</div>
    <div class="end"><button type="button" class="plain" onClick=${() => setPreviewed(false)}>${t("返回修改")}</button><${Button} kind="main" onClick=${send}>${t("确认发送")}<//></div><//>`;
  return html`<${Dialog} title=${t("新的群发")} onClose=${onClose}><${Field} label=${t("内容")}><textarea value=${text} maxlength="4000" onInput=${(event) => setText(event.target.value)}></textarea><//>
    <${Tabs} label=${t("发给")} value=${all ? "all" : "some"} onChange=${(value) => setAll(value === "all")} options=${[["all", t("所有群")], ["some", t("选择群")]]} />${!all && html`<${Pick} chosen=${chosen} setChosen=${setChosen} />`}
    <${Field} label=${t("什么时候（留空为现在）")}><input type="datetime-local" value=${at} onInput=${(event) => setAt(event.target.value)} /><//>
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button><button type="button" class="plain main" disabled=${!text.trim() || (!all && !chosen.size)} onClick=${() => setPreviewed(true)}>${t("预览")}</button></div><//>`;
}

function Timed({ admin }) {
  const list = useList("/timed", "timed");
  const remove = async (one) => (await sure(t("删除这条定时消息？"), t("删除"))) && tryTo(async () => { await call("DELETE", `/timed/${one.id}`); await list.reload(); }, t("已删除"));
  return html`<${Listing} list=${list} empty=${t("还没有定时消息。")}><${Table} caption=${t("定时")} heads=${[t("群"), t("内容"), t("时间表"), t("下一次"), ""]}>${list.rows.map((one) => html`<tr key=${one.id}><td>${one.topic}</td><td class="text">${one.text}</td><td class="mono">${one.cron}</td><td><${Time} at=${one.next_at} /></td><td class="act">${admin && html`<${Button} kind="bare danger" onClick=${() => remove(one)}>${t("删除")}<//>`}</td></tr>`)}<//><//>`;
}

function NewTimed({ onClose }) {
  const [text, setText] = useState("");
  const [time, setTime] = useState("09:00");
  const [days, setDays] = useState("*");
  const [chosen, setChosen] = useState(new Set());
  const save = async () => {
    const [hour, minute] = time.split(":").map(Number);
    const body = { number: [...chosen][0], cron: `${minute} ${hour} * * ${days}`, text };
    if (await tryTo(() => call("POST", "/timed", body), t("已保存"))) onClose();
  };
  return html`<${Dialog} title=${t("新的定时消息")} onClose=${onClose}><${Field} label=${t("内容")}><textarea value=${text} onInput=${(event) => setText(event.target.value)}></textarea><//><${Pick} one chosen=${chosen} setChosen=${setChosen} />
    <div class="row wrap"><label class="field"><span>${t("时间")}</span><input type="time" value=${time} onInput=${(event) => setTime(event.target.value)} /></label><label class="field grow"><span>${t("哪些天")}</span><select value=${days} onChange=${(event) => setDays(event.target.value)}><option value="*">${t("每天")}</option><option value="1-5">${t("周一到周五")}</option><option value="6,0">${t("周末")}</option><option value="1">${t("每周一")}</option></select></label></div>
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button><${Button} kind="main" disabled=${!text.trim() || !chosen.size || !time} onClick=${save}>${t("保存")}<//></div><//>`;
}
