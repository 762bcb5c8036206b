// Dialogs to select friends.
import { addMembers, makeRoom, send } from "../actions.js";
import { useSubmit } from "../exclusive.js";
import { html, useState } from "../shared/preact.js";

const MAX_SHOWN = 200;

function Friends({ store, without = [], chosen, onChoose, multiple }) {
  const [search, setSearch] = useState("");
  const matching = store.friends.filter((friend) => !without.includes(friend.id) && `${friend.alias}${friend.name}${friend.weixin}`.includes(search.trim()));
  return html`
    <input type="search" placeholder="搜索" aria-label="搜索朋友" data-focus value=${search} onInput=${(event) => setSearch(event.target.value)} />
    <ul class="choices">
      ${matching.slice(0, MAX_SHOWN).map((friend) => html`
        <li key=${friend.id}><label class="choice">
          <input type=${multiple ? "checkbox" : "radio"} name="friend" checked=${chosen.includes(friend.id)} onChange=${() => onChoose(friend.id)} />
          <img class="avatar" src=${friend.avatar} alt="" /><span>${friend.alias || friend.name}</span></label></li>`)}
    </ul>
    ${!matching.length && html`<p class="empty">没有可以选择的朋友</p>`}`;
}

/** A list of ids in which selecting an id again removes it. */
function useChosen(first) {
  const [chosen, setChosen] = useState(first);
  return [chosen, (id) => setChosen(chosen.includes(id) ? chosen.filter((other) => other !== id) : [...chosen, id])];
}

function Footer({ close, ready, yes }) {
  return html`<footer><button type="button" onClick=${close}>取消</button>
    <button class="primary" type="submit" disabled=${!ready}>${yes}</button></footer>`;
}

/** Create a group: WeChat requires three people. */
export function NewRoom({ store, dialog, close }) {
  const [chosen, choose] = useChosen(dialog.with ? [dialog.with] : []);
  const [topic, setTopic] = useState("");
  const submit = useSubmit(async () => (await makeRoom(chosen, topic.trim())) && close());
  return html`
    <form onSubmit=${submit}>
      <label class="field"><span>群聊名称（可不填）</span><input value=${topic} maxlength="64" onInput=${(event) => setTopic(event.target.value)} /></label>
      <${Friends} store=${store} chosen=${chosen} onChoose=${choose} multiple=${true} />
      <${Footer} close=${close} ready=${chosen.length > 1} yes=${chosen.length > 1 ? `完成（${chosen.length}）` : "至少选两位"} />
    </form>`;
}

/** Add friends to a group. */
export function InviteMembers({ store, dialog, close }) {
  const [chosen, choose] = useChosen([]);
  const members = store.detail?.group?.members.map((member) => member.id) ?? [];
  const submit = useSubmit(async () => {
    await addMembers(dialog.room, chosen);
    close();
  });
  return html`
    <form onSubmit=${submit}>
      <${Friends} store=${store} without=${members} chosen=${chosen} onChoose=${choose} multiple=${true} />
      <${Footer} close=${close} ready=${chosen.length > 0} yes="邀请" />
    </form>`;
}

/** Send a contact card to the open chat. */
export function ChooseCard({ store, dialog, close }) {
  const [chosen, setChosen] = useState([]);
  const submit = useSubmit(async () => (await send(dialog.chat, { card: chosen[0] })) && close());
  return html`
    <form onSubmit=${submit}>
      <${Friends} store=${store} chosen=${chosen} onChoose=${(id) => setChosen([id])} />
      <${Footer} close=${close} ready=${chosen.length > 0} yes="发送" />
    </form>`;
}
