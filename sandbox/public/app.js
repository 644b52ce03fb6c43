import { render } from "preact";
import { useState } from "preact/hooks";
import { Conversation } from "./conversation.js";
import { Deliveries } from "./deliveries.js";
import { Alert, Dialogs } from "./dialogs.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Sidebar } from "./sidebar.js";
import { notify, start, state, useStore } from "./store.js";

function App() {
  const { ready, users, chatKey, toasts, alert } = useStore();
  const [dialog, setDialog] = useState();
  if (!ready) return html`<p class="loading" role="status">Loading…</p>`;
  return html`
    <div class=${`layout ${chatKey === undefined ? "" : "in-chat"}`}>
      <${Sidebar} onDialog=${setDialog} />
      ${users.length === 0 ? html`<${Welcome} onDialog=${setDialog} />` : html`<${Conversation} onDialog=${setDialog} />`}
      <${Deliveries} />
    </div>
    <div class="toasts" role="status" aria-live="polite">
      ${toasts.map((toast) => html`<div key=${toast.id} class=${`toast ${toast.isError ? "error" : ""}`}><${Icon} name=${toast.isError ? "failing" : "ok"} />${toast.text}</div>`)}
    </div>
    <${Dialogs} open=${dialog} onClose=${() => setDialog(undefined)} />
    ${
      alert &&
      html`<${Alert} text=${alert} onClose=${() => {
        state.alert = undefined;
        notify();
      }} />`
    }
  `;
}

function Welcome({ onDialog }) {
  return html`
    <main class="conversation empty">
      <div class="placeholder">
        <img src="/sandbox/page/icon.svg" alt="" width="56" height="56" />
        <h1>A Telegram of your own</h1>
        <p>Nobody is here yet. Create somebody to be, then talk to a bot.</p>
        <button type="button" class="primary" onClick=${() => onDialog("user")}><${Icon} name="user" />Create a user</button>
      </div>
    </main>
  `;
}

render(html`<${App} />`, document.getElementById("app"));
start();
