// A join token in a text or the URL, and its actions. The sandbox knows only its format.
import { openChat, send } from "../actions.js";
import { useExclusive } from "../exclusive.js";
import { Icon } from "../icons.js";
import { toast, update } from "../store.js";
import { html } from "../shared/preact.js";
import { copy } from "../words.js";

/** Use a token with an assistant: send it to a friend, otherwise send a friend request with it. */
export async function sendToken(store, token, account) {
  const isFriend = store.friends.some((friend) => friend.id === account.id);
  if (!isFriend) return update({ dialog: { kind: "add", to: account.id, hello: token } });
  if (await send(account.id, { text: token })) await openChat(account.id);
  return undefined;
}

/** Copy a token and show a toast. */
export async function copyToken(token) {
  await copy(token);
  toast("令牌已复制");
}

/** The buttons of a token. */
export function TokenActions({ store, token }) {
  const sendTo = useExclusive((account) => sendToken(store, token, account));
  return html`
    <span class="token-actions">
      <button type="button" onClick=${() => copyToken(token)}>复制</button>
      ${store.accounts.filter((account) => account.id !== store.me.id).map((account) => html`
        <button key=${account.id} type="button" onClick=${() => sendTo(account)}>
          ${store.friends.some((friend) => friend.id === account.id) ? "发给" : "添加"}${account.nickname}
        </button>`)}
    </span>`;
}

/** The bar above the list for a token from the URL. */
export function TokenBar({ store, token }) {
  return html`
    <div class="token-bar" role="group" aria-label="入群令牌">
      <${Icon} name="token" /><code>${token}</code>
      <button type="button" class="quiet" aria-label="不再显示" onClick=${() => update({ token: "" })}><${Icon} name="close" /></button>
      <${TokenActions} store=${store} token=${token} />
    </div>`;
}
