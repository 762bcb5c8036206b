// The details of the open chat: members and settings of a group, or the other person.
import { changeRoom, leaveRoom, removeMember, roomCode, tryTo } from "../actions.js";
import { useReturnFocus } from "../focus.js";
import { Icon } from "../icons.js";
import { update } from "../store.js";
import { html, useState } from "../shared/preact.js";
import { useTyped } from "../shared/typed.js";
import { Switch } from "./switch.js";

const SHOWN = 60;

/** The details next to the chat (on a phone, over it). */
export function Drawer({ store }) {
  const { group, person } = store.detail;
  useReturnFocus();
  const onKeyDown = (event) => event.key === "Escape" && update({ drawer: false });
  return html`
    <aside class="drawer" aria-label="聊天详情" onKeyDown=${onKeyDown}>
      <button type="button" class="drawer-close only-phone" onClick=${() => update({ drawer: false })}><${Icon} name="back" />返回聊天</button>
      ${group ? html`<${Group} store=${store} group=${group} />` : html`<${Person} person=${person} />`}
    </aside>`;
}

function Person({ person }) {
  return html`
    <ul class="members"><li><button type="button" onClick=${() => update({ dialog: { kind: "profile", id: person.id } })}>
      <img class="avatar" src=${person.avatar} alt="" /><span>${person.alias || person.name}</span></button></li>
      <${Tile} icon="plus" label="发起群聊" onClick=${() => update({ dialog: { kind: "room", with: person.id } })} />
    </ul>`;
}

function Tile({ icon, label, onClick, pressed }) {
  return html`<li><button type="button" onClick=${onClick} aria-pressed=${pressed}>
    <span class="tile"><${Icon} name=${icon} /></span><span>${label}</span></button></li>`;
}

function Group({ store, group }) {
  const [removing, setRemoving] = useState(false);
  const me = group.members.find((member) => member.id === store.me.id);
  const change = (changes) => changeRoom(group.id, changes);
  return html`
    <${Members} store=${store} group=${group} removing=${removing} onRemoving=${() => setRemoving(!removing)} />
    <${Field} label="群聊名称" value=${group.topic} onSave=${(topic) => change({ topic })} />
    <${Field} label="群公告" value=${group.announcement} multiline=${true} disabled=${!group.manages}
      onSave=${(announcement) => change({ announcement })} />
    <${Field} label="我在本群的昵称" value=${me?.alias ?? ""} onSave=${(alias) => change({ alias })} />
    <${Switch} label="群聊邀请确认" hint="启用后，群成员需群主确认才能邀请朋友进群" checked=${group.confirm}
      disabled=${!group.manages} onChange=${(confirm) => change({ confirm })} />
    <${Code} key=${group.id} group=${group} />
    <button type="button" class="danger" onClick=${() => update({ dialog: {
      kind: "confirm", text: `退出群聊“${store.detail.name}”？`, yes: "退出群聊", act: () => leaveRoom(group.id) } })}>退出群聊</button>`;
}

function Members({ store, group, removing, onRemoving }) {
  const press = (member) => {
    if (!removing || member.id === store.me.id) return update({ dialog: { kind: "profile", id: member.id } });
    return removeMember(group.id, member.id);
  };
  return html`
    <ul class="members" aria-label="群成员">
      ${group.members.slice(0, SHOWN).map((member) => html`
        <li key=${member.id}><button type="button" onClick=${() => press(member)}
          aria-label=${removing && member.id !== store.me.id ? `移出${member.name}` : undefined}>
          <img class="avatar" src=${member.avatar} alt="" />
          ${removing && member.id !== store.me.id && html`<span class="remove-mark" aria-hidden="true"><${Icon} name="minus" /></span>`}
          <span>${member.name}</span>
          ${member.id === group.owner ? html`<small class="role">群主</small>` : group.admins.includes(member.id) && html`<small class="role">管理员</small>`}
        </button></li>`)}
      <${Tile} icon="plus" label="添加" onClick=${() => update({ dialog: { kind: "invite", room: group.id } })} />
      ${group.manages && html`<${Tile} icon="minus" label=${removing ? "完成" : "移出"} pressed=${removing} onClick=${onRemoving} />`}
    </ul>
    ${group.members.length > SHOWN && html`<p class="empty">共 ${group.members.length} 人</p>`}`;
}

/** A text that is edited in place and saved on blur or Enter; if saving fails, the old text is restored. */
function Field({ label, value, onSave, multiline, disabled }) {
  const [text, setText, store] = useTyped(value);
  const save = async () => text === value || (await store(onSave)) || setText((now) => (now === text ? value : now));
  const onKeyDown = (event) => {
    if (event.key === "Enter" && !event.isComposing && !event.shiftKey) event.target.blur();
    if (event.key === "Escape" && text !== value) {
      event.stopPropagation();
      setText(value);
    }
  };
  const common = { value: text, onBlur: save, onKeyDown, disabled, onInput: (event) => setText(event.target.value) };
  return html`
    <label class="field"><span>${label}</span>
      ${multiline ? html`<textarea rows="2" placeholder="未设置" ...${common}></textarea>` : html`<input placeholder="未设置" ...${common} />`}
    </label>`;
}

function Code({ group }) {
  const [code, setCode] = useState("");
  const make = () => tryTo(async () => setCode((await roomCode(group.id)).code));
  if (!code) return html`<button type="button" class="plain-line" onClick=${make}><${Icon} name="qr" />群二维码</button>`;
  return html`
    <figure class="qr"><img src="/api/qrcode.png?text=${encodeURIComponent(code)}" alt="群二维码" />
      <figcaption><code>${code}</code>七天内有效</figcaption></figure>`;
}
