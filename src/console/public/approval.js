import { useEffect, useState } from "preact/hooks";
import { Deadline, To } from "./approval-list.js";
import { Confirm } from "./dialog.js";
import { time } from "./format.js";
import { html } from "./html.js";
import { State } from "./icons.js";
import { Decisions, OutgoingMessage } from "./outgoing-message.js";
import { Link } from "./router.js";
import { toast } from "./toasts.js";
import { call } from "./workspace-api.js";

/** One message that waits, or waited: what is sent, and what is decided about it. */
export function Approval({ id }) {
  const [approval, setApproval] = useState();
  const [error, setError] = useState();
  const path = `/v1/approvals/${encodeURIComponent(id)}`;
  const load = async () => {
    try {
      setApproval(await call("GET", path));
      setError(undefined);
    } catch (fault) {
      setError(fault.message);
    }
  };
  useEffect(() => {
    load();
  }, []);
  /** Of what was seen here: the server refuses it where the message is another by now. */
  const decide = async (verdict, said) => {
    try {
      const body = { version: approval.version, ...said };
      const { state, missing } = await call("POST", `${path}/${verdict}`, { body });
      toast(DONE[state](missing));
    } catch (fault) {
      toast(fault.message, true);
      // Bad input is mended in its form; everything else changed what there is to see.
      if (fault.status === 400) return false;
    }
    await load();
    return true;
  };
  if (approval === undefined) {
    return error === undefined
      ? html`<p class="loading" role="status">Looking…</p>`
      : html`<p class="trouble" role="alert">${error}</p><p><${Link} href="/console/approvals">All that wait<//></p>`;
  }
  return html`
    ${error !== undefined && html`<p class="trouble" role="alert">${error}</p>`}
    <div class="panels">
      <${Facts} approval=${approval} />
      ${approval.state === "waiting" && html`<${Verdicts} approval=${approval} decide=${decide} key=${approval.version} />`}
      <${OutgoingMessage} message=${approval.message} />
      <${Decisions} decisions=${approval.decisions} />
    </div>
    <p><${Link} href="/console/approvals">All that wait<//></p>
  `;
}

const DONE = {
  approved: () => "Approved: it is on its way.",
  rejected: () => "Rejected: it is not sent.",
  waiting: (missing) =>
    `Noted. ${missing} more ${missing === 1 ? "approval is" : "approvals are"} needed.`,
};

function Facts({ approval }) {
  const { state, rule, authorName, needed, missing, sendAt, askedAt } = approval;
  return html`
    <section><h2>The request</h2>
      <dl>
        <dt>State</dt><dd><${State} of=${state} /></dd>
        <dt>To</dt><dd><${To} approval=${approval} /></dd>
        <dt>From</dt><dd><bdi>${authorName ?? "unknown"}</bdi></dd>
        <dt>Rule</dt><dd><bdi>${rule.name}</bdi></dd>
        <dt>Goes out</dt><dd>${sendAt === undefined ? "once approved" : html`<time datetime=${sendAt}>${time(sendAt)}</time>`}</dd>
        <dt>Approvals</dt><dd>${needed - missing} of ${needed}</dd>
        <dt>Asked</dt><dd><time datetime=${askedAt}>${time(askedAt)}</time></dd>
        <dt>${state === "waiting" ? "To be decided by" : "Decided"}</dt><dd><${Deadline} approval=${approval} /></dd>
      </dl>
    </section>
  `;
}

/** Approve, reject with a reason, or give it another text and approve that. */
function Verdicts({ approval, decide }) {
  const [form, setForm] = useState();
  const close = () => setForm(undefined);
  return html`
    <section><h2>Your decision</h2>
      <p class="hint">It is about the message as it stands here, and is recorded under your key's name.</p>
      <div class="buttons">
        <button type="button" class="primary" onClick=${() => setForm("approve")}>Approve…</button>
        <button type="button" onClick=${() => setForm("edit")}>Edit and approve…</button>
        <button type="button" class="danger" onClick=${() => setForm("reject")}>Reject…</button>
      </div>
      ${
        form === "approve" &&
        html`
        <${Confirm} title="Approve this message?" action="Approve" onConfirm=${() => decide("approve", {})} onClose=${close}>
          <p>It goes to <${To} approval=${approval} />${approval.missing > 1 ? " once somebody else has approved it too" : ""}.</p>
        <//>`
      }
      ${form === "reject" && html`<${RejectForm} decide=${decide} onClose=${close} />`}
      ${form === "edit" && html`<${EditForm} approval=${approval} decide=${decide} onClose=${close} />`}
    </section>
  `;
}

/** A dialog with fields that stays open where the server does not take what stands in them. */
function FieldsDialog({ title, action, isBad, onSend, onClose, children }) {
  const [isSending, setSending] = useState(false);
  const send = async (event) => {
    event.preventDefault();
    setSending(true);
    const isDone = await onSend(Object.fromEntries(new FormData(event.target)));
    setSending(false);
    if (isDone) onClose();
  };
  return html`
    <dialog ref=${open} onClose=${onClose} aria-labelledby="dialog-title">
      <form class="dialog-inner" onSubmit=${send}>
        <h2 id="dialog-title">${title}</h2>
        ${children}
        <div class="buttons">
          <button type="button" onClick=${onClose}>Not now</button>
          <button type="submit" class=${isBad ? "danger" : "primary"} disabled=${isSending}>${action}</button>
        </div>
      </form>
    </dialog>
  `;
}

function open(element) {
  if (element !== null && !element.open) element.showModal();
}

const RejectForm = ({ decide, onClose }) => html`
  <${FieldsDialog} title="Reject this message?" action="Reject" isBad onSend=${(said) => decide("reject", said)} onClose=${onClose}>
    <label for="reason">Why, for who wrote it</label>
    <textarea id="reason" name="reason" rows="3" required maxlength="500"></textarea>
  <//>
`;

function EditForm({ approval, decide, onClose }) {
  const { text, entities = [] } = approval.message;
  return html`
    <${FieldsDialog} title="Send another text?" action="Approve this text" onSend=${(said) => decide("edit", said)} onClose=${onClose}>
      <label for="text">Text</label>
      <textarea id="text" name="text" rows="10" required dir="auto" defaultValue=${text}></textarea>
      <label for="format">Written as</label>
      <select id="format" name="format"><option value="plain">plain text</option><option value="markdown">Markdown</option><option value="html">HTML</option></select>
      ${entities.length > 0 && html`<p class="hint">Its formatting and links do not stand in this text: write them anew, as Markdown or HTML.</p>`}
      <p class="hint">Earlier approvals are of the old text and count no more.${approval.needed > 1 ? " Somebody else has to approve the new one too." : ""} Its buttons stay.</p>
    <//>
  `;
}
