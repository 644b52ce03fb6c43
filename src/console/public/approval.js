import { useEffect, useRef, useState } from "preact/hooks";
import { Deadline, To } from "./approval-list.js";
import { FieldsDialog } from "./fields-dialog.js";
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
  const looks = useRef(0);
  const path = `/v1/approvals/${encodeURIComponent(id)}`;
  const load = async () => {
    const look = ++looks.current;
    try {
      const found = await call("GET", path);
      if (look !== looks.current) return;
      setApproval(found);
      setError(undefined);
    } catch (fault) {
      if (look === looks.current) setError(fault.message);
    }
  };
  useEffect(() => {
    load();
  }, []);
  /**
   * Of what was seen here: a 409 says that there is something else to see by now. Throws what the form can
   * be kept open for.
   */
  const decide = async (verdict, said) => {
    try {
      const body = { version: approval.version, ...said };
      const { state, missing } = await call("POST", `${path}/${verdict}`, { body });
      toast(done(state, missing, approval));
    } catch (fault) {
      if (fault.status !== 409) throw fault;
      toast(fault.message, true);
    }
    await load();
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
      ${approval.state === "waiting" && html`<${Verdicts} approval=${approval} decide=${decide} />`}
      <${OutgoingMessage} approval=${approval} />
      <${Decisions} approval=${approval} />
    </div>
    <p><${Link} href="/console/approvals">All that wait<//></p>
  `;
}

function done(state, missing, { sendAt }) {
  if (state === "rejected") return "Rejected: it is not sent.";
  if (state === "waiting") {
    return `Noted. ${missing} more ${missing === 1 ? "approval is" : "approvals are"} needed.`;
  }
  return isLater(sendAt) ? `Approved: it goes out ${time(sendAt)}.` : "Approved: it is on its way.";
}

const isLater = (at) => at !== undefined && new Date(at) > Date.now();

function Facts({ approval }) {
  const { state, rule, authorName, needed, missing, sendAt, askedAt } = approval;
  return html`
    <section><h2>The request</h2>
      <dl>
        <dt>State</dt><dd><${State} of=${state} /></dd>
        <dt>To</dt><dd><${To} approval=${approval} /></dd>
        <dt>From</dt><dd><bdi>${authorName ?? "unknown"}</bdi></dd>
        <dt>Rule</dt><dd><bdi>${rule.name}</bdi></dd>
        ${(isLater(sendAt) || state === "waiting") && html`<dt>Goes out</dt><dd>${sendAt === undefined ? "once approved" : html`<time datetime=${sendAt}>${time(sendAt)}</time>`}</dd>`}
        <dt>Approvals</dt><dd>${needed - missing} of ${needed}</dd>
        <dt>Asked</dt><dd><time datetime=${askedAt}>${time(askedAt)}</time></dd>
        <dt>${ENDS[state] ?? "Decided"}</dt><dd><${Deadline} approval=${approval} /></dd>
      </dl>
    </section>
  `;
}

const ENDS = { waiting: "To be decided by", expired: "Time ran out", cancelled: "Cancelled" };
/** Contents beside which no text is sent. */
const TEXTLESS = new Set(["delete", "pin", "unpin", "forward", "chat-action"]);

/**
 * Approve, reject with a reason, or give it another text and approve that. What was typed is kept where the
 * message changed meanwhile.
 */
function Verdicts({ approval, decide }) {
  const [form, setForm] = useState();
  const draft = useRef();
  const forms = { approve: ApproveForm, edit: EditForm, reject: RejectForm };
  return html`
    <section><h2>Your decision</h2>
      <p class="hint">It is about the message as it stands here, and is recorded under your key's name.</p>
      <div class="buttons">
        <button type="button" class="primary" onClick=${() => setForm("approve")}>Approve…</button>
        ${!TEXTLESS.has(approval.message.content?.type) && html`<button type="button" onClick=${() => setForm("edit")}>Edit and approve…</button>`}
        <button type="button" class="danger" onClick=${() => setForm("reject")}>Reject…</button>
      </div>
      ${form !== undefined && html`<${forms[form]} approval=${approval} draft=${draft} decide=${decide} onClose=${() => setForm(undefined)} />`}
    </section>
  `;
}

const ApproveForm = ({ approval, decide, onClose }) => html`
  <${FieldsDialog} title="Approve this message?" action="Approve" onSend=${() => decide("approve", {})} onClose=${onClose}>
    <p>It goes to <${To} approval=${approval} />${approval.missing > 1 ? ", once somebody else has approved it too" : ""}.</p>
  <//>
`;

const RejectForm = ({ decide, onClose }) => html`
  <${FieldsDialog} title="Reject this message?" action="Reject" isBad onSend=${(said) => decide("reject", said)} onClose=${onClose}>
    <label for="reason">Why, for who wrote it</label>
    <textarea id="reason" name="reason" rows="3" required maxlength="500"></textarea>
  <//>
`;

function EditForm({ approval, draft, decide, onClose }) {
  const { text, entities = [] } = approval.message;
  const send = (said) => {
    draft.current = said.text;
    return decide("edit", said);
  };
  return html`
    <${FieldsDialog} title="Send another text?" action="Approve this text" onSend=${send} onClose=${onClose}>
      <label for="text">Text</label>
      <textarea id="text" name="text" rows="10" required dir="auto" defaultValue=${draft.current ?? text}></textarea>
      <label for="format">Written as</label>
      <select id="format" name="format"><option value="plain">plain text</option><option value="markdown">Markdown</option><option value="html">HTML</option></select>
      ${entities.length > 0 && html`<p class="hint">Its formatting and links do not stand in this text: write them anew, as Markdown or HTML.</p>`}
      <p class="hint">Earlier approvals are of the old text and count no more.${approval.needed > 1 ? " Somebody else has to approve the new one too." : ""} Its buttons stay.</p>
    <//>
  `;
}
