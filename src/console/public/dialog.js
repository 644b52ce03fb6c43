import { useEffect, useRef } from "preact/hooks";
import { html } from "./html.js";

/** Asks before something is changed. The browser's own dialog: it keeps the focus, Escape closes it. */
export function Confirm({ title, action, isBad, onConfirm, onClose, children }) {
  const element = useRef();
  useEffect(() => {
    element.current.showModal();
  }, []);
  return html`
    <dialog ref=${element} onClose=${onClose} aria-labelledby="dialog-title">
      <form method="dialog" class="dialog-inner">
        <h2 id="dialog-title">${title}</h2>
        ${children}
        <div class="buttons">
          <button type="submit">Not now</button>
          <button type="submit" class=${isBad ? "danger" : "primary"} onClick=${onConfirm} disabled=${action === undefined}>${action ?? "Counting…"}</button>
        </div>
      </form>
    </dialog>
  `;
}
