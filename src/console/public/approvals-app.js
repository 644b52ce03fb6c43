import { render } from "preact";
import { useState } from "preact/hooks";
import { Approval } from "./approval.js";
import { ApprovalList } from "./approval-list.js";
import { Frame } from "./frame.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Link, usePlace } from "./router.js";
import { forgetKey, keepKey, useKey } from "./workspace-api.js";

/** Approvers of one workspace, who need not be operators: so a page of its own, with a key of theirs. */
function App() {
  const { path } = usePlace();
  const { isIn, why } = useKey();
  const id = /^\/console\/approvals\/([^/]+)$/.exec(path)?.[1];
  const title = !isIn || id === undefined ? "Approvals" : "An approval";
  const nav = html`<${Link} href="/console/approvals" aria-current="page"><${Icon} name="approvals" /><span>Approvals</span><//>`;
  const out = html`<button type="button" class="quiet" onClick=${forgetKey}><${Icon} name="out" /><span>Sign out</span></button>`;
  return html`
    <${Frame} home="/console/approvals" label="Approvals" title=${title} nav=${nav} out=${isIn && out}>
      ${!isIn ? html`<${KeyForm} why=${why} />` : id === undefined ? html`<${ApprovalList} />` : html`<${Approval} id=${id} key=${id} />`}
    <//>
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
