import { useRef, useState } from "preact/hooks";
import { html } from "./html.js";

/**
 * A dialog with fields. It stays open, with what was typed, where `onSend` throws: the error's words stand
 * in it. `children` are labels and fields; `onClose` comes after it closed, however that was.
 */
export function FieldsDialog({ title, action, isBad, onSend, onClose, children }) {
  const element = useRef();
  const [isSending, setSending] = useState(false);
  const [fault, setFault] = useState();
  const show = (dialog) => {
    element.current = dialog;
    if (dialog !== null && !dialog.open) dialog.showModal();
  };
  const close = () => element.current?.close();
  const send = async (event) => {
    event.preventDefault();
    setSending(true);
    setFault(undefined);
    try {
      await onSend(Object.fromEntries(new FormData(event.target)));
      close();
    } catch (error) {
      setFault(error.message);
      setSending(false);
    }
  };
  return html`
    <dialog ref=${show} onClose=${onClose} aria-labelledby="dialog-title">
      <form class="dialog-inner" onSubmit=${send}>
        <h2 id="dialog-title">${title}</h2>
        ${children}
        ${fault !== undefined && html`<p class="bad" role="alert">${fault}</p>`}
        <div class="buttons">
          <button type="button" onClick=${close}>Not now</button>
          <button type="submit" class=${isBad ? "danger" : "primary"} disabled=${isSending}>${isSending ? "Sending…" : action}</button>
        </div>
      </form>
    </dialog>
  `;
}
