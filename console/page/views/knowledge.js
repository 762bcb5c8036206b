// 知识: test a message; the questions that were not answered; questions, keywords, canned replies and passages.
import { query } from "../api.js";
import { ChooseAssistant } from "../choose.js";
import { useDialog } from "../dialogs.js";
import { useLoad } from "../load.js";
import { html, useState } from "../shared/preact.js";
import { Loaded, Tabs } from "../ui.js";
import { t } from "../words.js";
import { EditEntry } from "./knowledge-edit.js";
import { CannedReplies, Keywords, Passages, Questions, Unanswered } from "./knowledge-lists.js";
import { MatchTest } from "./match-test.js";

const VIEWS = { misses: Unanswered, questions: Questions, keywords: Keywords, canned: CannedReplies, passages: Passages };
const TITLES = { misses: "待补充", questions: "问答", keywords: "关键词", canned: "快捷回复", passages: "资料" };
const ADD_BUTTONS = [["canned", "添加快捷回复"], ["keyword", "添加关键词"], ["question", "添加问答"]];

const countsOf = (data) => ({
  misses: data.misses.length,
  questions: data.questions.length + data.configured_questions.length,
  keywords: data.keywords.length + data.configured_keywords.length,
  canned: data.canned.length,
  passages: data.passages.length,
});

/** Hook: the knowledge of an assistant with the canned replies, as one resource. */
function useKnowledge(assistant) {
  const knowledge = useLoad(`/knowledge${query({ assistant })}`);
  const canned = useLoad("/canned");
  return {
    data: knowledge.data && canned.data && { ...knowledge.data, ...canned.data },
    error: knowledge.error ?? canned.error,
    reload: () => Promise.all([knowledge.reload(), canned.reload()]),
  };
}

export function Knowledge({ admin, session }) {
  const [view, setView] = useState("misses");
  const [dialog, openDialog] = useDialog();
  const [assistant, setAssistant] = useState(session.assistants[0] ?? "");
  const resource = useKnowledge(assistant);
  const counts = resource.data && countsOf(resource.data);
  const tabs = Object.entries(TITLES).map(([id, title]) => [id, counts ? `${t(title)} ${counts[id]}` : t(title)]);
  const addButton = ([type, text]) => html`<button type="button" key=${type} class=${`plain ${type === "question" ? "main" : ""}`}
    onClick=${() => openDialog({ type })}>${t(text)}</button>`;
  const shared = { admin, edit: openDialog, reload: resource.reload, assistant };
  return html`<div class="heading"><h1>${t("知识")}</h1><div class="tools">
      <${ChooseAssistant} names=${session.assistants} value=${assistant} onChange=${setAssistant} />
      ${admin && ADD_BUTTONS.map(addButton)}</div></div>
    <div class="stack"><${MatchTest} assistant=${assistant} />
      <${Tabs} label=${t("视图")} value=${view} onChange=${setView} options=${tabs} />
      <${Loaded} resource=${resource}>${(data) => html`<${VIEWS[view]} key=${view} data=${data} ...${shared} />`}<//></div>
    ${dialog && html`<${EditEntry} key=${dialog.id} entry=${dialog.subject} assistant=${assistant} onClose=${dialog.close}
      reload=${resource.reload} />`}`;
}
