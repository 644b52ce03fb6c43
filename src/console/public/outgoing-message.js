import { count, duration, time } from "./format.js";
import { html } from "./html.js";

/**
 * All that is sent, for somebody who answers for it: the text as its readers get it, what its words and
 * buttons don't say themselves, and everything else. What this page has no words for stands there by its name.
 */
export function OutgoingMessage({ approval: { message, leads, changes, broadcast } }) {
  const { text, entities = [], buttons, content, ...rest } = message;
  const marks = entities.filter(({ type }) => !LEADS.has(type));
  const facts = [
    ...(broadcast === undefined
      ? []
      : [["First of its chats", html`<code>${message.chatId}</code>`]]),
    ...Object.entries(rest).flatMap(([name, value]) => (HOW[name] ?? byName(name))(value)),
  ];
  return html`
    <section class="wide"><h2>What is sent</h2>
      ${text !== "" && html`<p class="said" dir="auto" tabindex="0" role="region" aria-label="Its text">${text}</p>`}
      ${leads.length > 0 && html`<h3>Behind its words</h3><${Leads} leads=${leads} />`}
      ${marks.length > 0 && html`<p class="hint">Marked: ${marks.map((one) => html`${one.type}${one.language && ` (${one.language})`} <bdi>“${text.slice(one.offset, one.offset + one.length)}”</bdi> `)}</p>`}
      ${buttons !== undefined && html`<${Buttons} buttons=${buttons} />`}
      ${content !== undefined && html`<${Content} content=${content} />`}
      ${changes !== undefined && html`<h3>The message that it changes, as it is now</h3><p class="said" dir="auto">${changes.text === "" ? "without a text" : changes.text}</p>`}
      ${facts.length > 0 && html`<h3>How</h3><${Facts} facts=${facts} />`}
    </section>
  `;
}

/** Told with what stands behind them. */
const LEADS = new Set(["text_link", "text_mention", "custom_emoji", "date_time"]);

const Facts = ({ facts }) =>
  html`<dl>${facts.map(([name, value]) => html`<dt><bdi>${name}</bdi></dt><dd>${value}</dd>`)}</dl>`;

const Leads = ({ leads }) =>
  html`<${Facts} facts=${leads.map(({ label, to }) => [label, html`<code><bdi>${plain(to)}</bdi></code>`])} />`;

/** An address as a browser would go there: what turns writing around is written out. */
function plain(to) {
  return URL.canParse(to) ? new URL(to).href : to;
}

const Buttons = ({ buttons }) => html`
  <h3>Buttons</h3>
  ${
    buttons.flat().length === 0
      ? html`<p>None any more.</p>`
      : html`<${Leads} leads=${buttons.flat().map(({ text, url, data = "" }) => ({ label: text, to: url ?? `answers “${data}”` }))} />`
  }
`;

const CONTENTS = {
  photo: "A photo",
  document: "A document",
  album: "An album",
  edit: "Changes a message",
  delete: "Deletes a message",
  pin: "Pins a message",
  unpin: "Unpins a message",
  forward: "Passes on a message",
};

/** Files and whatever else is more than text: each value by where it stands. */
function Content({ content: { type, ...content } }) {
  return html`<h3>${CONTENTS[type] ?? type}</h3><${Facts} facts=${flat(content).map(([name, value]) => [name, html`<code><bdi>${plain(value)}</bdi></code>`])} />`;
}

const flat = (value, name = "") =>
  value !== null && typeof value === "object"
    ? Object.entries(value).flatMap(([key, one]) => flat(one, name === "" ? key : `${name}.${key}`))
    : [[name, String(value)]];

const nothing = () => [];
const onlyIf = (wanted, name, value) => (given) => (given === wanted ? [[name, value]] : []);
/** What is said of how it is sent, by what the API calls it. */
const HOW = {
  // Told above the message.
  connectorId: nothing,
  chatId: nothing,
  // Told as the message that it changes.
  targetId: nothing,
  kind: (kind) => (kind === "message" ? [] : byName("kind")(kind)),
  replyTo: (id) => [["In reply to", html`message <code>${id}</code> there`]],
  threadId: (id) => [["In topic", html`<code>${id}</code>`]],
  businessConnectionId: () => [["In the name of", "the business account"]],
  deleteAfterS: (s) => [["Deleted again", `${duration(s * 1_000)} after it was sent`]],
  silent: onlyIf(true, "Sound", "none"),
  protected: onlyIf(true, "Protected", "not to be forwarded or saved"),
  linkPreview: onlyIf(false, "Preview of links", "none"),
  cuts: (cuts) => [["In parts", count(cuts.length)]],
};
const byName = (name) => (value) => [
  [name, html`<code>${typeof value === "string" ? value : JSON.stringify(value)}</code>`],
];

/** Who said what, and of which text. */
export const Decisions = ({ approval: { decisions, version } }) =>
  decisions.length > 0 &&
  html`
    <section class="wide"><h2>What was said</h2>
      <ul>${decisions.map(
        (one) => html`
        <li key=${`${one.approver}${one.at}`}><time datetime=${one.at}>${time(one.at)}</time> <b>${one.verdict}</b> by <bdi>${one.approverName ?? "somebody who is gone"}</bdi>${one.version !== version && " (of an earlier text)"}${one.reason !== undefined && html`: <bdi>${one.reason}</bdi>`}</li>`,
      )}</ul>
    </section>
  `;
