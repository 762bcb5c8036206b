// The start page: choose a person.
import { switchTo, makePerson } from "../actions.js";
import { useSubmit } from "../exclusive.js";
import { html, useState } from "../shared/preact.js";

/** All people except the assistants, and a form to create one. */
export function StartPage({ store }) {
  const [name, setName] = useState("");
  const [weixin, setWeixin] = useState("");
  const people = [...store.people.values()].filter((person) => !person.account && !person.official).slice(0, 60);
  const submit = useSubmit(async () => {
    if (!name.trim() || !(await makePerson(name.trim(), weixin.trim()))) return;
    await new Promise((resolve) => addEventListener("pagehide", resolve, { once: true })); // the next page is being loaded
  });
  return html`
    <main class="start-page">
      <header>
        <img src="/page/icon.svg" alt="" width="56" height="56" />
        <h1>微信沙箱</h1>
        <p>一个看得见的微信：选择你是谁。想同时当几个人，就多开几个标签页。</p>
        ${store.token && html`<p class="hint">带来的入群令牌 <code>${store.token}</code> 会在添加助手时自动填好。</p>`}
      </header>
      <ul class="start-people" aria-label="选择身份">
        ${people.map((person) => html`
          <li key=${person.id}><button type="button" onClick=${() => switchTo(person.id)}>
            <img class="avatar" src=${person.avatar} alt="" />
            <span class="name">${person.name}</span><span class="faint">${person.weixin}</span>
          </button></li>`)}
      </ul>
      <form class="start-new" onSubmit=${submit}>
        <h2>新来的人</h2>
        <label><span>昵称</span><input name="name" value=${name} maxlength="32" required autocomplete="off"
          onInput=${(event) => setName(event.target.value)} /></label>
        <label><span>微信号（可不填）</span><input name="weixin" value=${weixin} maxlength="32" autocomplete="off"
          onInput=${(event) => setWeixin(event.target.value)} /></label>
        <button class="primary" type="submit">进入微信</button>
      </form>
    </main>`;
}
