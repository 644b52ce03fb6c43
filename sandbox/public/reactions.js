import { useState } from "preact/hooks";
import { post } from "./api.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { attempt, memberOf, nameOf, placeOf, state } from "./store.js";

/** A few of Telegram's; an app shows as many before one asks for more. */
const offered = ["👍", "👎", "❤", "🔥", "🎉", "😢"];

const shows = (reaction) => reaction.userIds.includes(state.userId);

/** Shows an emoji of one's own, or takes it away again. People without Premium show one. */
function toggle(chat, message, emoji) {
  const isShown = (message.shown_reactions ?? []).some(
    (reaction) => reaction.emoji === emoji && shows(reaction),
  );
  return attempt(() =>
    post("/react", {
      from: state.userId,
      ...placeOf(chat),
      messageId: message.message_id,
      emojis: isShown ? [] : [emoji],
    }),
  );
}

/** What people show of a message; one's own is marked by more than its colour. */
export function Reactions({ chat, message }) {
  if (!message.shown_reactions?.length) return null;
  return html`
    <div class="reactions" aria-label="Reactions">
      ${message.shown_reactions.map(
        (reaction) => html`
          <button type="button" key=${reaction.emoji} class="reaction" aria-pressed=${shows(reaction)}
            title=${reaction.userIds.map((id) => nameOf(memberOf(id))).join(", ")}
            onClick=${() => toggle(chat, message, reaction.emoji)}>
            <span>${reaction.emoji}</span><span>${reaction.userIds.length}</span>
          </button>`,
      )}
    </div>
  `;
}

/** The button beside a message, and the emojis it opens. */
export function ReactButton({ chat, message, about }) {
  const [open, setOpen] = useState(false);
  const choose = (emoji) => {
    setOpen(false);
    toggle(chat, message, emoji);
  };
  return html`
    <span class="react" onKeyDown=${(event) => event.key === "Escape" && setOpen(false)}
      onFocusOut=${(event) => event.currentTarget.contains(event.relatedTarget) || setOpen(false)}>
      <button type="button" onClick=${() => setOpen(!open)} aria-expanded=${open} title="React" aria-label=${`React to: ${about}`}><${Icon} name="react" /></button>
      ${
        open &&
        html`
        <span class="palette" role="group" aria-label="Reactions to choose">
          ${offered.map((emoji) => html`<button type="button" key=${emoji} aria-label=${`React with ${emoji}`} onClick=${() => choose(emoji)}>${emoji}</button>`)}
        </span>`
      }
    </span>
  `;
}
