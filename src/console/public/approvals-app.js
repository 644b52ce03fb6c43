import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Approval } from "./approval.js";
import { ApprovalList } from "./approval-list.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Link, usePlace } from "./router.js";
import { Toasts } from "./toasts.js";
import { forgetKey, keepKey, useKey } from "./workspace-api.js";

/** Approvers of one workspace, who need not be operators: so a page of its own, with a key of theirs. */
function App() {
  const { path } = usePlace();
  const { isIn, why } = useKey();
  const id = /^\/console\/approvals\/([^/]+)$/.exec(path)?.[1];
  const title = !isIn || id === undefined ? "Approvals" : "An approval";
  useEffect(() => {
    document.title = `${title} · Heliograph`;
  }, [title]);
  return html`
    <a class="skip" href="#main">Skip to the page</a>
    <header class="top">
      <${Link} class="brand" href="/console/approvals"><img src="/console/page/icon.svg" alt="" width="28" height="28" /><span>Heliograph</span><//>
      <nav aria-label="Approvals"><${Link} href="/console/approvals" aria-current="page"><${Icon} name="approvals" /><span>Approvals</span><//></nav>
      ${isIn && html`<button type="button" class="quiet" onClick=${forgetKey}><${Icon} name="out" /><span>Sign out</span></button>`}
    </header>
    <main id="main" tabindex="-1">
      <div class="title"><h1>${title}</h1></div>
      ${!isIn ? html`<${KeyForm} why=${why} />` : id === undefined ? html`<${ApprovalList} />` : html`<${Approval} id=${id} key=${id} />`}
    </main>
    <${Toasts} />
  `;
}

function KeyForm({ why }) {
  const [fault, setFault] = useState(why);
  const [isAsking, setAsking] = useState(false);
  const send = async (event) => {
    event.preventDefault();
    const key = new FormData(event.target).get("key").trim();
    setAsking(true);
    try {
      await keepKey(key);
    } catch (error) {
      setFault(error.message);
      setAsking(false);
    }
  };
  return html`
    <form class="key-form" onSubmit=${send}>
      <label for="key">Your API key</label>
      <input id="key" name="key" type="password" required autofocus autocomplete="off" spellcheck="false"
        aria-invalid=${fault === undefined ? undefined : "true"} aria-describedby=${fault === undefined ? undefined : "fault"} />
      ${fault !== undefined && html`<p class="bad" id="fault" role="alert">${fault}</p>`}
      <button type="submit" class="primary" disabled=${isAsking}>Sign in</button>
      <p class="hint">A key of your workspace with the scopes <code>read</code> and <code>approve</code>, your own: what
        you decide is recorded under its name. With <code>read</code> alone you look, and decide nothing. This tab keeps it until you sign out.</p>
    </form>
  `;
}

render(html`<${App} />`, document.getElementById("app"));
