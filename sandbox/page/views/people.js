// Dialogs about people: search, friend request, profile, switching to another person.
import { askFriend, deleteFriend, openChat, scan, setAlias } from "../actions.js";
import { useExclusive, useSubmit } from "../exclusive.js";
import { Icon } from "../icons.js";
import { update } from "../store.js";
import { html, useState } from "../shared/preact.js";
import { useTyped } from "../shared/typed.js";

const show = (dialog) => update({ dialog });

/** Find a person by 微信号 or id (or the text of a QR code), or create a group. */
export function FindPerson({ store, close }) {
  const [search, setSearch] = useState("");
  const [missing, setMissing] = useState("");
  const find = useSubmit(async () => {
    const wanted = search.trim();
    const found = [...store.people.values()].find((person) => person.weixin === wanted || person.id === wanted);
    if (found) show({ kind: "profile", id: found.id });
    else if (!/^https:\/\//.test(wanted)) setMissing(wanted);
    else if (await scan(wanted, store.token)) close();
  });
  const others = store.accounts.filter((account) => account.id !== store.me.id);
  return html`
    <form class="seek" onSubmit=${find}>
      <label><span>微信号、微信 id 或二维码内容</span>
        <input data-focus required value=${search} autocomplete="off" onInput=${(event) => { setSearch(event.target.value); setMissing(""); }} /></label>
      <button class="primary" type="submit">查找</button>
    </form>
    ${missing && html`<p class="refused" role="alert">没有找到“${missing}”</p>`}
    <h3>助手</h3>
    <ul class="choices">
      ${others.map((account) => html`
        <li key=${account.id}><button type="button" class="choice" onClick=${() => show({ kind: "profile", id: account.id })}>
          <img class="avatar" src=${account.avatar} alt="" /><span>${account.nickname}</span>
          <span class="faint">${account.online ? (account.connected ? "在线" : "没有机器人连接") : "已退出登录"}</span></button></li>`)}
    </ul>
    <button type="button" class="plain-line" onClick=${() => show({ kind: "room" })}><${Icon} name="chats" />发起群聊</button>`;
}

/** Send a friend request with a text. */
export function AddFriend({ store, dialog, close }) {
  const person = store.people.get(dialog.to);
  const [hello, setHello] = useState(dialog.hello || store.token || `我是${store.me.name}`);
  const submit = useSubmit(async () => (await askFriend(person.id, hello)) && close());
  return html`
    <form onSubmit=${submit}>
      <${PersonHeader} person=${person} />
      <label class="field"><span>发送添加朋友申请</span>
        <textarea data-focus rows="2" maxlength="200" value=${hello} onInput=${(event) => setHello(event.target.value)}></textarea></label>
      <footer><button type="button" onClick=${close}>取消</button><button class="primary" type="submit">发送</button></footer>
    </form>`;
}

function PersonHeader({ person, alias }) {
  return html`
    <div class="face"><img class="avatar large" src=${person.avatar} alt="" />
      <div><strong>${alias || person.name}</strong>${person.account && html`<span class="tag">助手</span>`}
        ${alias && html`<p class="faint">昵称：${person.name}</p>`}
        <p class="faint">微信号：${person.weixin}</p></div></div>`;
}

/** The profile of a person, with possible actions. */
export function Profile({ store, dialog, close }) {
  const person = store.people.get(dialog.id);
  const friend = store.friends.find((friend) => friend.id === dialog.id);
  const deleteThis = useExclusive(() => deleteFriend(dialog.id).then(close));
  if (!person) return html`<p class="empty">没有这个人</p>`;
  const isMe = person.id === store.me.id;
  return html`
    <${PersonHeader} person=${person} alias=${friend?.alias} />
    ${friend && html`<${Remark} key=${friend.id} friend=${friend} />`}
    ${!isMe && html`<footer>
      ${friend
        ? html`<button type="button" class="danger" onClick=${deleteThis}>删除联系人</button>
            <button type="button" class="primary" data-focus onClick=${() => openChat(person.id)}>发消息</button>`
        : html`<button type="button" class="primary" data-focus onClick=${() => show({ kind: "add", to: person.id })}>添加到通讯录</button>`}
    </footer>`}`;
}

function Remark({ friend }) {
  const [alias, setRemark, store] = useTyped(friend.alias);
  const put = (given) => setAlias(friend.id, given);
  const save = async () => alias === friend.alias || (await store(put)) || setRemark((now) => (now === alias ? friend.alias : now));
  const onKeyDown = (event) => event.key === "Enter" && !event.isComposing && event.target.blur();
  return html`<label class="field"><span>备注</span>
    <input value=${alias} placeholder="未设置" onInput=${(event) => setRemark(event.target.value)} onBlur=${save} onKeyDown=${onKeyDown} /></label>`;
}

/** Switch to another person in this tab or a new one. */
export function Identity({ store }) {
  const people = [...store.people.values()].filter((person) => !person.account && !person.official).slice(0, 60);
  return html`
    <p class="faint">按住 Ctrl 点一下（手机上长按），就在新标签页里同时当另一个人。</p>
    <ul class="choices">
      ${people.map((person) => html`
        <li key=${person.id}><a class="choice" href="/?as=${encodeURIComponent(person.id)}" aria-current=${person.id === store.me.id ? "true" : undefined}>
          <img class="avatar" src=${person.avatar} alt="" /><span>${person.name}</span><span class="faint">${person.weixin}</span></a></li>`)}
    </ul>
    <footer><a class="button" href="/">新来的人…</a></footer>`;
}
