// Dialogs. Escape and a click outside close them.
import { IconButton } from "../icons.js";
import { useReturnFocus } from "../focus.js";
import { state, update } from "../store.js";
import { html, useLayoutEffect, useRef } from "../shared/preact.js";
import { AddFriend, FindPerson, Identity, Profile } from "./people.js";
import { Toast } from "./toast.js";
import { ChooseCard, InviteMembers, NewRoom } from "./choose.js";

/** Close the open dialog. */
const close = () => update({ dialog: null });

const KINDS = {
  find: ["添加", FindPerson],
  add: ["添加朋友", AddFriend],
  profile: ["资料", Profile],
  identity: ["换一个身份", Identity],
  room: ["发起群聊", NewRoom],
  invite: ["添加成员", InviteMembers],
  card: ["发送名片", ChooseCard],
  confirm: ["请确认", Confirm],
  picture: ["图片", Picture],
};

/** The open dialog, if any. */
export function Dialogs({ store }) {
  const { dialog } = store;
  if (!dialog) return null;
  const [title, Content] = KINDS[dialog.kind];
  const closeThis = () => state.dialog === dialog && close(); // another one may be open when an answer arrives
  return html`
    <${Frame} title=${title} dialog=${dialog}>
      <${Content} key=${dialog.kind} store=${store} dialog=${dialog} close=${closeThis} />
      <${Toast} store=${store} />
    <//>`;
}

function Frame({ title, dialog, children }) {
  const box = useRef(null);
  useReturnFocus();
  useLayoutEffect(() => { // one dialog may open another
    if (!box.current.open) box.current.showModal();
    const first = box.current.querySelector("[data-focus]") ?? box.current.querySelector("button");
    first.focus();
  }, [dialog]);
  const onClosed = () => box.current.open || close(); // the event comes later than Escape: another one may be open by then
  const closeOutside = (event) => event.target === box.current && close();
  return html`
    <dialog ref=${box} class="dialog of-${dialog.kind}" aria-label=${title} onClose=${onClosed} onPointerDown=${closeOutside}>
      <div class="dialog-box">
        <header><h2>${title}</h2><${IconButton} name="close" label="关闭" onClick=${close} /></header>
        ${children}
      </div>
    </dialog>`;
}

function Confirm({ dialog }) {
  const act = () => {
    close();
    dialog.act();
  };
  return html`
    <p>${dialog.text}</p>
    <footer><button type="button" onClick=${close}>取消</button>
      <button type="button" class="danger-fill" onClick=${act}>${dialog.yes}</button></footer>`;
}

function Picture({ dialog }) {
  return html`<img src=${dialog.url} alt=${dialog.name} /><p><a href=${dialog.url} download=${dialog.name}>保存 ${dialog.name}</a></p>`;
}
