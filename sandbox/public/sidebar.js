import { html } from "./html.js";
import { Avatar, Icon } from "./icons.js";
import { describe, isService, timeOf } from "./message.js";
import { botOf, chooseUser, me, myChats, nameOf, openChat, useStore } from "./store.js";

/** Who one is, and the chats one has. */
export function Sidebar({ onDialog }) {
  const { users, userId, chatKey, unread } = useStore();
  const chats = myChats();
  return html`
    <aside class="sidebar" aria-label="Chats">
      <header class="identity">
        <${Avatar} id=${userId} name=${nameOf(me())} />
        <label>
          <span class="caption">You are</span>
          <select value=${userId} onChange=${(event) => chooseUser(Number(event.target.value))}>
            ${users.map((user) => html`<option value=${user.id}>${nameOf(user)}</option>`)}
          </select>
        </label>
        <button type="button" class="quiet" onClick=${() => onDialog("user")} title="New user">
          <${Icon} name="user" /><span class="sr">New user</span>
        </button>
      </header>
      <nav class="chats" aria-label="Your chats">
        ${chats.map(
          (chat) => html`
            <button type="button" key=${chat.key} class="chat-row"
              aria-current=${chat.key === chatKey ? "true" : undefined}
              onClick=${() => openChat(chat.key)}>
              <${Avatar} id=${chat.botId ?? chat.id} name=${chat.name} bot=${chat.botId !== undefined} />
              <span class="chat-text">
                <span class="chat-top">
                  <span class="chat-name">
                    ${chat.botId === undefined && html`<${Icon} name="group" />`}<span>${chat.name}</span>
                  </span>
                  <time>${chat.lastMessage ? timeOf(chat.lastMessage.date) : ""}</time>
                </span>
                <span class="chat-bottom">
                  <span class="chat-last">${preview(chat)}</span>
                  ${unread.get(chat.key) > 0 && html`<span class="badge">${unread.get(chat.key)}<span class="sr"> unread</span></span>`}
                </span>
              </span>
            </button>
          `,
        )}
        ${chats.length === 0 && html`<p class="hint">No chats yet. Create a bot to talk to.</p>`}
      </nav>
      <footer class="sidebar-actions">
        <button type="button" onClick=${() => onDialog("chat")} disabled=${users.length === 0}>
          <${Icon} name="group" />New group
        </button>
        <button type="button" onClick=${() => onDialog("bot")}><${Icon} name="bot" />New bot</button>
      </footer>
    </aside>
  `;
}

function preview(chat) {
  if (chat.lastMessage === undefined)
    return chat.botId === undefined ? "" : `@${botOf(chat.botId)?.username} — not started`;
  const { lastMessage } = chat;
  const author =
    chat.botId === undefined && lastMessage.from !== undefined && !isService(lastMessage)
      ? `${lastMessage.from.first_name}: `
      : "";
  return author + describe(lastMessage);
}
