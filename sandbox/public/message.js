import { fileUrl, post } from "./api.js";
import { html } from "./html.js";
import { Avatar, Icon } from "./icons.js";
import { Poll } from "./poll.js";
import { ReactButton, Reactions } from "./reactions.js";
import { RichText } from "./rich-text.js";
import { attempt, nameOf, placeOf, state } from "./store.js";

export const timeOf = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export const dayOf = (seconds) =>
  new Date(seconds * 1000).toLocaleDateString([], {
    weekday: "long",
    day: "numeric",
    month: "long",
  });

/** A message in a few words: for lists, replies and service lines. */
export function describe(message) {
  const who = nameOf(message.from);
  if (message.new_chat_members) return `${message.new_chat_members.map(nameOf).join(", ")} joined`;
  if (message.left_chat_member) return `${nameOf(message.left_chat_member)} left`;
  if (message.group_chat_created) return `${who} created the group`;
  if (message.migrate_to_chat_id) return "This group became a supergroup";
  if (message.migrate_from_chat_id) return "The supergroup began as a group";
  if (message.forum_topic_created) return `Topic “${message.forum_topic_created.name}” opened`;
  if (message.forum_topic_edited) return `Topic renamed to “${message.forum_topic_edited.name}”`;
  if (message.forum_topic_closed) return "Topic closed";
  if (message.forum_topic_reopened) return "Topic opened again";
  if (message.pinned_message) return `${who} pinned “${describe(message.pinned_message)}”`;
  if (message.poll) return `Poll: ${message.poll.question}`;
  if (message.text) return message.text;
  if (message.photo) return `Photo${message.caption ? `: ${message.caption}` : ""}`;
  if (message.document) return `File: ${message.document.file_name ?? "document"}`;
  if (message.contact) return `Contact: ${message.contact.first_name}`;
  return "Message";
}

export const isService = (message) =>
  message.text === undefined &&
  !message.photo &&
  !message.document &&
  !message.contact &&
  !message.poll;

function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** One message: a bubble, or a line in the middle when it is about the chat itself. */
export function Message({ chat, message, first, onReply, onEdit, onCommand }) {
  if (isService(message))
    return html`<div class="service" data-message=${message.message_id}>${describe(message)}</div>`;
  const own = message.from?.id === state.userId;
  const inGroup = chat.type !== "private";
  const author = message.from ?? message.sender_chat;
  const editable =
    own && !message.via_bot && (message.text !== undefined || message.photo || message.document);
  return html`
    <article class=${`message ${own ? "own" : ""} ${first ? "first" : ""}`} data-message=${message.message_id}>
      ${
        inGroup &&
        !own &&
        html`<${Avatar} id=${author?.id} name=${author?.title ?? nameOf(message.from)} bot=${message.from?.is_bot} size="small" />`
      }
      <div class="stack">
        <div class="bubble">
          ${inGroup && !own && first && html`<div class=${`author hue-${Math.abs(author?.id ?? 0) % 6}`}>${author?.title ?? nameOf(message.from)}${message.from?.is_bot && html`<span class="tag">bot</span>`}</div>`}
          ${message.via_bot && html`<div class="forwarded">via @${message.via_bot.username}</div>`}
          ${message.forward_origin && html`<div class="forwarded">Forwarded from ${nameOf(message.forward_origin.sender_user) || message.forward_origin.chat?.title}</div>`}
          ${message.reply_to_message && html`<${Quote} message=${message.reply_to_message} />`}
          <${Media} message=${message} />
          ${message.poll && html`<${Poll} chat=${chat} message=${message} />`}
          ${message.text && html`<div class="text"><${RichText} text=${message.text} entities=${message.entities} onCommand=${onCommand} /></div>`}
          ${message.caption && html`<div class="text"><${RichText} text=${message.caption} entities=${message.caption_entities} onCommand=${onCommand} /></div>`}
          <div class="meta">
            ${message.edit_date && html`<span title=${`Edited at ${timeOf(message.edit_date)}`}>edited</span>`}
            <time>${timeOf(message.date)}</time>
          </div>
        </div>
        <${Reactions} chat=${chat} message=${message} />
        ${message.reply_markup?.inline_keyboard && html`<${InlineKeyboard} chat=${chat} message=${message} />`}
      </div>
      <div class="tools">
        <button type="button" onClick=${() => onReply(message)} title="Reply" aria-label=${`Reply to: ${describe(message).slice(0, 60)}`}><${Icon} name="reply" /></button>
        <${ReactButton} chat=${chat} message=${message} about=${describe(message).slice(0, 60)} />
        ${editable && html`<button type="button" onClick=${() => onEdit(message)} title="Edit" aria-label=${`Edit: ${describe(message).slice(0, 60)}`}><${Icon} name="edit" /></button>`}
      </div>
    </article>
  `;
}

export function Quote({ message }) {
  return html`
    <button type="button" class="quote" onClick=${() => scrollTo(message.message_id)}>
      <span class="quote-author">${nameOf(message.from) || message.sender_chat?.title}</span>
      <span class="quote-text">${describe(message)}</span>
    </button>
  `;
}

function scrollTo(messageId) {
  const target = document.querySelector(`[data-message="${messageId}"]`);
  target?.scrollIntoView({ block: "center" });
  target?.classList.add("flash");
  setTimeout(() => target?.classList.remove("flash"), 1200);
}

function Media({ message }) {
  if (message.photo) {
    const { file_id, width, height } = message.photo.at(-1);
    return html`
      <a class="photo" href=${fileUrl(file_id)} target="_blank" rel="noopener" aria-label="Open the photo">
        <img src=${fileUrl(file_id)} width=${width || undefined} height=${height || undefined} alt=${message.caption ?? "Photo"} />
      </a>
    `;
  }
  if (message.document) {
    const { file_id, file_name, file_size } = message.document;
    return html`
      <a class="document" href=${fileUrl(file_id)} download=${file_name ?? ""}>
        <span class="document-icon"><${Icon} name="file" /></span>
        <span><span class="document-name">${file_name ?? "document"}</span><span class="document-size">${sizeOf(file_size)}</span></span>
      </a>
    `;
  }
  if (message.contact)
    return html`
      <div class="document">
        <span class="document-icon"><${Icon} name="user" /></span>
        <span><span class="document-name">${message.contact.first_name}</span><span class="document-size">${message.contact.phone_number}</span></span>
      </div>
    `;
  return null;
}

function InlineKeyboard({ chat, message }) {
  const press = (button) =>
    attempt(() =>
      post("/press", {
        from: state.userId,
        ...placeOf(chat),
        messageId: message.message_id,
        data: button.callback_data,
      }),
    );
  return html`
    <div class="inline-keyboard">
      ${message.reply_markup.inline_keyboard.map(
        (row) => html`
          <div class="key-row">
            ${row.map((button) =>
              button.url !== undefined
                ? html`<a class="key" href=${button.url} target="_blank" rel="noopener noreferrer">${button.text} ↗</a>`
                : html`<button type="button" class="key" disabled=${button.callback_data === undefined} onClick=${() => press(button)}>${button.text}</button>`,
            )}
          </div>
        `,
      )}
    </div>
  `;
}
