// The form for a question, a keyword or a canned reply.
import { call, query } from "../api.js";
import { Button, Dialog, Field, tryTo } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { html, useState } from "../shared/preact.js";
import { t } from "../words.js";

export const KINDS = { equals: "等于", contains: "包含", regex: "正则" };
const TITLES = {
  question: ["添加问答", "修改问答"], keyword: ["添加关键词", "修改关键词"], canned: ["添加快捷回复", "修改快捷回复"],
};

function begun(one) {
  if (one.kind === "question") return { asked: (one.questions ?? []).join("\n"), answer: one.answer ?? "" };
  if (one.kind === "keyword") return { asked: one.word ?? "", answer: one.reply ?? "", rule: one.rule ?? "contains", where: one.where ?? "both" };
  return { asked: one.name ?? "", answer: one.text ?? "" };
}

function request(one, form, assistant) {
  const id = one.id ? { id: one.id } : {};
  if (one.kind === "question") {
    const questions = form.asked.split("\n").map((line) => line.trim()).filter(Boolean);
    return ["/question", { ...id, questions, answer: form.answer }];
  }
  if (one.kind === "keyword") return [`/keyword${query({ assistant })}`, { ...id, kind: form.rule, word: form.asked.trim(), reply: form.answer, where: form.where }];
  return ["/canned", { name: form.asked.trim(), text: form.answer }];
}

export function Edit({ one, assistant, onClose, reload }) {
  const [form, setForm] = useState(() => begun(one));
  const set = (change) => setForm((before) => ({ ...before, ...change }));
  const changed = JSON.stringify(form) !== JSON.stringify(begun(one));
  useUnsaved(changed);
  const save = async () => {
    if (await tryTo(() => call("POST", ...request(one, form, assistant)), t("已保存"))) { await reload(); onClose(); }
  };
  const known = Boolean(one.id ?? one.name);
  return html`<${Dialog} title=${t(TITLES[one.kind][known ? 1 : 0])} onClose=${onClose} changed=${changed}>
    ${one.kind === "question" && html`<${Field} label=${t("问题，每行一种问法")}><textarea value=${form.asked} onInput=${(event) => set({ asked: event.target.value })}></textarea><//>`}
    ${one.kind === "canned" && html`<${Field} label=${t("名称，不含空格和 /")}><input type="text" maxlength="20" disabled=${known} value=${form.asked} onInput=${(event) => set({ asked: event.target.value })} /><//>`}
    ${one.kind === "keyword" && html`<${Field} label=${t("规则")}><select value=${form.rule} onChange=${(event) => set({ rule: event.target.value })}>
        ${Object.entries(KINDS).map(([id, words]) => html`<option key=${id} value=${id}>${t(words)}</option>`)}</select><//>
      <${Field} label=${t("词")}><input type="text" maxlength="256" value=${form.asked} onInput=${(event) => set({ asked: event.target.value })} /><//>
      <${Field} label=${t("适用范围")}><select value=${form.where} onChange=${(event) => set({ where: event.target.value })}>
        <option value="both">${t("私聊和群里")}</option><option value="private">${t("只在私聊")}</option><option value="group">${t("只在群里（@助手时）")}</option></select><//>`}
    <${Field} label=${one.kind === "canned" ? t("内容") : t("回答")}><textarea value=${form.answer} maxlength="4000" onInput=${(event) => set({ answer: event.target.value })}></textarea><//>
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button><${Button} kind="main" disabled=${!form.asked.trim() || !form.answer.trim()} onClick=${save}>${t("保存")}<//></div><//>`;
}
