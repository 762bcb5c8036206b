// The page that is shown, by the URL's hash: #/PAGE/ID.
import { confirmAction, dismissConfirmation } from "./dialogs.js";
import { useLayoutEffect, useState } from "./shared/preact.js";
import { hasUnsaved } from "./unsaved.js";
import { t } from "./words.js";

function parse(hash) {
  const [page, id = ""] = hash.replace(/^#\/?/, "").split("/");
  return { page, id };
}

/** Hook: { page, id }. A page with changes that are not saved is left only after confirmation. `onChange`: it was left. */
export function useRoute(onChange) {
  const [hash, setHash] = useState(location.hash);
  useLayoutEffect(() => { // an effect would run a frame later and miss a change until then
    let shown = hash;
    const follow = async () => {
      const wanted = location.hash;
      dismissConfirmation();
      if (wanted !== shown && hasUnsaved() && !(await confirmAction(t("放弃没有保存的内容？"), t("放弃")))) {
        if (location.hash === wanted) history.replaceState(null, "", `${location.pathname}${shown}`);
        return;
      }
      shown = wanted;
      setHash(wanted);
      onChange();
    };
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return parse(hash);
}
