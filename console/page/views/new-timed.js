// A new timed message, and its schedule as text.
import { call } from "../api.js";
import { ChooseGroups } from "../choose.js";
import { Dialog, attempt } from "../dialogs.js";
import { html, useState } from "../shared/preact.js";
import { Button, Field } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { t } from "../words.js";

// Day-of-week fields of crontab lines.
const DAYS = [
  ["*", "每天"], ["1-5", "周一到周五"], ["6,0", "周末"],
  ["1", "每周一"], ["2", "每周二"], ["3", "每周三"], ["4", "每周四"], ["5", "每周五"], ["6", "每周六"], ["0", "每周日"],
];

/** A crontab line as text if this page can make it; otherwise the line itself. */
export function formatSchedule(cron) {
  const [minute, hour, day, month, week] = cron.split(" ");
  const days = DAYS.find(([field]) => field === week)?.[1];
  const isSimple = days && day === "*" && month === "*" && /^\d+$/.test(minute) && /^\d+$/.test(hour);
  return isSimple ? `${t(days)} ${hour.padStart(2, "0")}:${minute.padStart(2, "0")}` : html`<span class="mono">${cron}</span>`;
}

export function NewTimed({ onClose, onCreated }) {
  const [text, setText] = useState("");
  const [time, setTime] = useState("09:00");
  const [days, setDays] = useState("*");
  const [chosen, setChosen] = useState(new Set());
  const changed = text !== "";
  useUnsaved(changed);
  const save = async () => {
    const [hour, minute] = time.split(":").map(Number);
    const body = { number: [...chosen][0], cron: `${minute} ${hour} * * ${days}`, text };
    if (await attempt(() => call("POST", "/timed", body), t("已保存"))) onCreated();
  };
  return html`<${Dialog} title=${t("新的定时消息")} onClose=${onClose} changed=${changed}>
    <${Field} label=${t("内容")}><textarea value=${text} maxlength="4000" onInput=${(event) => setText(event.target.value)}></textarea><//>
    <${ChooseGroups} single chosen=${chosen} setChosen=${setChosen} />
    <div class="row wrap"><label class="field"><span>${t("时间")}</span>
        <input type="time" value=${time} onInput=${(event) => setTime(event.target.value)} /></label>
      <label class="field grow"><span>${t("重复")}</span><select value=${days} onChange=${(event) => setDays(event.target.value)}>
        ${DAYS.map(([field, label]) => html`<option key=${field} value=${field}>${t(label)}</option>`)}</select></label></div>
    <div class="dialog-buttons"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button>
      <${Button} kind="main" disabled=${!text.trim() || !chosen.size || !time} onClick=${save}>${t("保存")}<//></div><//>`;
}
