// The console: sign-in, and the shell around the pages.
import { call, isTemporary, setSession } from "./api.js";
import { Confirmation, Toast } from "./dialogs.js";
import { html, render, useEffect, useState } from "./shared/preact.js";
import { Shell } from "./shell.js";
import { language, t } from "./words.js";

const RETRY_DELAY = 5_000; // milliseconds

function SignIn({ error }) {
  return html`<main class="sign-in"><h1>${t("登录管理后台")}</h1>
    <p>${t("请在微信里对助手说 /登录，然后打开它回复的链接。")}</p>
    <p class="muted">${t("管理员和客服群的成员可以登录。还没有管理员时，链接在启动 wxbot 的终端上。")}</p>
    ${error && html`<p class="error">${error}</p>`}</main>`;
}

/** Hook: { loaded, session, error }; without a session nobody is logged in. */
function useLogin() {
  const [login, setLogin] = useState({ loaded: false });
  useEffect(() => {
    let timer = 0;
    const load = async () => {
      try {
        const { session } = await call("GET", "/session");
        setSession(session, () => setLogin({ loaded: true }));
        setLogin({ loaded: true, session });
      } catch (error) {
        setLogin({ loaded: true, error: error.status === 401 ? "" : error.message });
        if (isTemporary(error)) timer = setTimeout(load, RETRY_DELAY);
      }
    };
    load();
    return () => clearTimeout(timer);
  }, []);
  return login;
}

function App() {
  const { loaded, session, error } = useLogin();
  if (!loaded) return null;
  return html`${session ? html`<${Shell} session=${session} />` : html`<${SignIn} error=${error} />`}<${Toast} /><${Confirmation} />`;
}

document.documentElement.lang = language === "en" ? "en" : "zh-CN";
render(html`<${App} />`, document.getElementById("app"));
