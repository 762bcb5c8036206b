// The form for a question, a keyword or a canned reply.
import { call, query } from "../api.js";
import { Dialog, attempt } from "../dialogs.js";
import { html, useState } from "../shared/preact.js";
import { Button, Field } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { t } from "../words.js";

export const RULES = { equals: "等于", contains: "包含", regex: "正则" };
const SCOPES = { both: "私聊和群里", private: "只在私聊", group: "只在群里（@助手时）" };
const TITLES = {
  question: { add: "添加问答", change: "修改问答" },
  keyword: { add: "添加关键词", change: "修改关键词" },
  canned: { add: "添加快捷回复", change: "修改快捷回复" },
};

/** What the form shows of an entry: `trigger` is the questions, the word or the name. */
function formOf(entry) {
  if (entry.type === "question") return { trigger: (entry.questions ?? []).join("\n"), answer: entry.answer ?? "" };
  if (entry.type === "canned") return { trigger: entry.name ?? "", answer: entry.text ?? "" };
  const { word = "", reply = "", kind = "contains", where = "both" } = entry;
  return { trigger: word, answer: reply, rule: kind, where };
}

/** The path and body of the request that saves an entry. */
function requestOf(entry, { trigger, answer, rule, where }, assistant) {
  const id = entry.id ? { id: entry.id } : {};
  if (entry.type === "question") {
    const questions = trigger.split("\n").map((line) => line.trim()).filter(Boolean);
    return ["/question", { ...id, questions, answer }];
  }
  if (entry.type === "canned") return ["/canned", { name: trigger.trim(), text: answer }];
  return [`/keyword${query({ assistant })}`, { ...id, kind: rule, word: trigger.trim(), reply: answer, where }];
}

/** `entry`: one of the list with its `type`, or only what a new one begins with. */
export function EditEntry({ entry, assistant, onClose, reload }) {
  const [form, setForm] = useState(() => formOf(entry));
  const set = (name) => (event) => setForm((before) => ({ ...before, [name]: event.target.value }));
  const changed = JSON.stringify(form) !== JSON.stringify(formOf(entry));
  useUnsaved(changed);
  const save = async () => {
    if (!(await attempt(() => call("POST", ...requestOf(entry, form, assistant)), t("已保存")))) return;
    await reload();
    onClose();
  };
  const isNew = !(entry.id ?? entry.name);
  return html`<${Dialog} title=${t(TITLES[entry.type][isNew ? "add" : "change"])} onClose=${onClose} changed=${changed}>
    <${TRIGGERS[entry.type]} form=${form} set=${set} isNew=${isNew} />
    <${Field} label=${entry.type === "canned" ? t("内容") : t("回答")}>
      <textarea value=${form.answer} maxlength="4000" onInput=${set("answer")}></textarea><//>
    <div class="dialog-buttons"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button>
      <${Button} kind="main" disabled=${!form.trigger.trim() || !form.answer.trim()} onClick=${save}>${t("保存")}<//></div><//>`;
}

function QuestionTrigger({ form, set }) {
  return html`<${Field} label=${t("问题，每行一种问法")}><textarea value=${form.trigger} onInput=${set("trigger")}></textarea><//>`;
}

function CannedTrigger({ form, set, isNew }) {
  return html`<${Field} label=${t("名称，不含空格和 /")}>
    <input type="text" maxlength="20" disabled=${!isNew} value=${form.trigger} onInput=${set("trigger")} /><//>`;
}

function KeywordTrigger({ form, set }) {
  const options = (texts) => Object.entries(texts).map(([id, text]) => html`<option key=${id} value=${id}>${t(text)}</option>`);
  return html`<${Field} label=${t("规则")}><select value=${form.rule} onChange=${set("rule")}>${options(RULES)}</select><//>
    <${Field} label=${t("词")}><input type="text" maxlength="256" value=${form.trigger} onInput=${set("trigger")} /><//>
    <${Field} label=${t("适用范围")}><select value=${form.where} onChange=${set("where")}>${options(SCOPES)}</select><//>`;
}

const TRIGGERS = { question: QuestionTrigger, keyword: KeywordTrigger, canned: CannedTrigger };
