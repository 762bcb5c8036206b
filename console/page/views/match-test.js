// Shows how a message of a customer would be answered.
import { call, query } from "../api.js";
import { attempt } from "../dialogs.js";
import { html, useState } from "../shared/preact.js";
import { useSubmit } from "../ui.js";
import { t } from "../words.js";

const ANSWERED_BY = {
  person: "转人工",
  keyword: "关键词",
  question: "问答",
  menu: "列出相近的问题供客户选择",
  model: "由语言模型从问答里选",
  passage: "引用资料",
  fallback: "没听懂时的回答",
  nobody: "不回答",
};

export function MatchTest({ assistant }) {
  const [text, setText] = useState("");
  const [group, setGroup] = useState(false);
  const [result, setResult] = useState(null);
  const [submit, isRunning] = useSubmit(() => attempt(async () => {
    const { explanation } = await call("POST", `/knowledge/try${query({ assistant })}`, { text, group });
    setResult({ assistant, explanation });
  }));
  return html`<section class="card stack"><h2>${t("试一试")}</h2><form class="row wrap" onSubmit=${submit}>
      <input class="grow" type="text" maxlength="500" aria-label=${t("客户可能发送的消息")} placeholder=${t("客户可能发送的消息")}
        value=${text} onInput=${(event) => setText(event.target.value)} />
      <label class="row"><input type="checkbox" checked=${group} onChange=${(event) => setGroup(event.target.checked)} />${t("在群里")}</label>
      <button class="plain main" aria-busy=${isRunning} disabled=${!text.trim()}>${t("测试")}</button></form>
    ${result?.assistant === assistant && html`<${Explanation} ...${result.explanation} />`}</section>`;
}

function Explanation({ by, rule, reply, near }) {
  const similar = ([question, score]) => html`<div key=${question}>${question}${" "}
    <span class="muted number">${Math.round(score * 100)}%</span></div>`;
  return html`<div class="stack" role="status">
    <p><b>${t(ANSWERED_BY[by])}</b>${rule && html`　<span class="mono">${rule}</span>`}</p>
    ${reply && html`<div class="answer">${reply}</div>`}${near.map(similar)}</div>`;
}
