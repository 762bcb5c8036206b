// A text field whose value comes from the server: a refresh never replaces what was typed.
import { useLayoutEffect, useRef, useState } from "./preact.js";

/**
 * Hook: a text that follows `value` until it is changed by typing. Returns [text, setText, save].
 * `save(call)` calls `call(text)` and returns its result; if it is true, the text follows the value again.
 */
export function useTyped(value) {
  const [text, setText] = useState(value);
  const base = useRef(value); // what the text was made from
  const latest = useRef(value);
  latest.current = value;
  useLayoutEffect(() => {
    setText((now) => (now === base.current ? value : now));
    base.current = value;
  }, [value]);
  const save = async (call) => {
    base.current = text; // now, since the new value may arrive before the answer
    const saved = await call(text);
    if (!saved) base.current = latest.current;
    return saved;
  };
  return [text, setText, save];
}
