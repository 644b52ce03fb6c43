import { html } from "./html.js";

/** Text with its entities as elements. Entities may nest; offsets count UTF-16 units. */
export function RichText({ text, entities = [], onCommand }) {
  return render(text, 0, text.length, entities, onCommand);
}

function render(text, from, to, entities, onCommand) {
  const parts = [];
  let at = from;
  let index = 0;
  while (index < entities.length) {
    const entity = entities[index];
    const end = Math.min(to, entity.offset + entity.length);
    index++;
    if (entity.offset < at || entity.offset >= to) continue;
    if (entity.offset > at) parts.push(text.slice(at, entity.offset));
    const inner = [];
    while (index < entities.length && entities[index].offset < end) inner.push(entities[index++]);
    const content = render(text, entity.offset, end, inner, onCommand);
    parts.push(element(entity, text.slice(entity.offset, end), content, onCommand));
    at = end;
  }
  if (at < to) parts.push(text.slice(at, to));
  return parts;
}

function element(entity, covered, content, onCommand) {
  switch (entity.type) {
    case "bold":
      return html`<b>${content}</b>`;
    case "italic":
      return html`<i>${content}</i>`;
    case "underline":
      return html`<u>${content}</u>`;
    case "strikethrough":
      return html`<s>${content}</s>`;
    case "code":
      return html`<code>${content}</code>`;
    case "pre":
      return html`<pre>${content}</pre>`;
    case "blockquote":
    case "expandable_blockquote":
      return html`<blockquote>${content}</blockquote>`;
    case "spoiler":
      return html`<button type="button" class="spoiler" title="Show the spoiler"
        onClick=${(event) => event.currentTarget.classList.add("shown")}>${content}</button>`;
    case "bot_command":
      return html`<button type="button" class="link" onClick=${() => onCommand?.(covered)}>${content}</button>`;
    case "url":
      return link(covered, content);
    case "text_link":
      return link(entity.url, content);
    case "email":
      return link(`mailto:${covered}`, content);
    case "mention":
    case "hashtag":
    case "text_mention":
      return html`<span class="mention">${content}</span>`;
    default:
      return content;
  }
}

/** Only where a link may lead without running anything. */
function link(address, content) {
  if (!/^(https?|mailto|tg):/i.test(address)) return content;
  return html`<a href=${address} target="_blank" rel="noopener noreferrer">${content}</a>`;
}
