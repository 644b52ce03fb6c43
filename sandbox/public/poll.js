import { post } from "./api.js";
import { html } from "./html.js";
import { attempt, placeOf, state } from "./store.js";

/** A poll: its options are buttons while it is open, and bars with their counts always. */
export function Poll({ chat, message }) {
  const { poll } = message;
  const vote = (option) =>
    attempt(() =>
      post("/vote", {
        from: state.userId,
        ...placeOf(chat),
        messageId: message.message_id,
        optionIds: [option],
      }),
    );
  const votes = poll.total_voter_count;
  return html`
    <div class="poll" role="group" aria-label=${`Poll: ${poll.question}`}>
      <b>${poll.question}</b>
      <span class="hint">${poll.is_anonymous ? "Anonymous" : "Public"} ${poll.type === "quiz" ? "quiz" : "poll"}${poll.is_closed ? ", closed" : ""}</span>
      ${poll.options.map(
        (option, index) => html`
        <button type="button" key=${option.persistent_id} class="poll-option" disabled=${poll.is_closed} onClick=${() => vote(index)}>
          <span>${option.text}</span><span>${option.voter_count}</span>
          <meter min="0" max=${Math.max(1, votes)} value=${option.voter_count} aria-hidden="true"></meter>
        </button>`,
      )}
      <span class="hint">${votes === 1 ? "1 vote" : `${votes} votes`}</span>
    </div>
  `;
}
