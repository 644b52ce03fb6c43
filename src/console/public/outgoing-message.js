import { count, time } from "./format.js";
import { html } from "./html.js";

/**
 * All that is sent, for somebody who answers for it: the text as its readers get it, where its words and
 * buttons lead, and everything else by its name. Nothing is left out because this page does not know it.
 */
export function OutgoingMessage({ message }) {
  const { text, entities = [], buttons = [], content, ...rest } = message;
  const leads = [
    ...entities.flatMap((one) => leadOf(one, text)),
    ...buttons.flat().map(({ text: label, url, data }) => ({
      label,
      to: url ?? `answers ${JSON.stringify(data ?? "")}`,
    })),
  ];
  const marks = entities.filter(({ type }) => type !== "text_link" && type !== "text_mention");
  const others = Object.entries(rest).filter(([name]) => !KNOWN.has(name));
  return html`
    <section class="wide"><h2>What is sent</h2>
      ${text !== "" && html`<p class="said" dir="auto">${text}</p>`}
      ${
        leads.length > 0 &&
        html`<h3>Where it leads</h3><dl>${leads.map(({ label, to }) => html`<dt><bdi>${label}</bdi></dt><dd><code>${to}</code></dd>`)}</dl>`
      }
      ${marks.length > 0 && html`<p class="hint">Marked: ${marks.map((one) => `${one.type} “${wordsOf(one, text)}”`).join(", ")}</p>`}
      ${content !== undefined && html`<${Content} content=${content} />`}
      ${others.length > 0 && html`<h3>How</h3><dl>${others.map(([name, value]) => html`<dt>${name}</dt><dd><code>${shown(value)}</code></dd>`)}</dl>`}
    </section>
  `;
}

/** Told above the message. */
const KNOWN = new Set(["connectorId", "chatId"]);

const wordsOf = ({ offset, length }, text) => text.slice(offset, offset + length);

function leadOf(entity, text) {
  const to = entity.url ?? (entity.user && `tg://user?id=${entity.user.id}`);
  return to === undefined ? [] : [{ label: wordsOf(entity, text), to }];
}

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 1));

/** Files and whatever else is more than text. A file of evidence is told with what proves it. */
function Content({ content }) {
  const files = (content.items ?? [content]).flatMap(({ file }) =>
    file?.evidenceFileId === undefined ? [] : [file],
  );
  return html`
    <h3>With it: ${content.type}</h3>
    ${files.length > 0 && html`<dl>${files.map((file) => html`<dt><bdi>${file.name}</bdi></dt><dd>${count(file.sizeBytes)} bytes, SHA-256 <code>${file.sha256}</code></dd>`)}</dl>`}
    <details><summary>As it is kept</summary><pre>${JSON.stringify(content, null, 2)}</pre></details>
  `;
}

/** Who said what of it. */
export const Decisions = ({ decisions }) =>
  decisions.length > 0 &&
  html`
    <section class="wide"><h2>What was said</h2>
      <ul class="traced">${decisions.map(
        ({ approver, approverName, verdict, reason, at }) => html`
        <li key=${`${approver}${at}`}><time datetime=${at}>${time(at)}</time> <b>${verdict}</b> by <bdi>${approverName ?? "somebody who is gone"}</bdi>${reason !== undefined && html`: <bdi>${reason}</bdi>`}</li>`,
      )}</ul>
    </section>
  `;
