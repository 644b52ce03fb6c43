import { useEffect, useRef, useState } from "preact/hooks";
import { post, remove } from "./api.js";
import { html } from "./html.js";
import { Avatar, Icon } from "./icons.js";
import {
  attempt,
  botOf,
  chooseUser,
  currentChat,
  keyOf,
  memberOf,
  nameOf,
  openChat,
  refresh,
  state,
  useStore,
} from "./store.js";

/** The page's dialogs; each closes with Escape and gives the focus back. */
export function Dialogs({ open, onClose }) {
  useStore();
  const kinds = { user: NewUser, bot: NewBot, chat: NewChat, details: Details };
  const Kind = kinds[open];
  if (Kind === undefined) return null;
  return html`<${Frame} key=${open} onClose=${onClose}><${Kind} onClose=${onClose} /><//>`;
}

export function Alert({ text, onClose }) {
  return html`
    <${Frame} onClose=${onClose}>
      <p class="alert-text">${text}</p>
      <div class="buttons"><button type="button" class="primary" onClick=${onClose}>OK</button></div>
    <//>
  `;
}

function Frame({ children, onClose }) {
  const dialog = useRef();
  useEffect(() => {
    const element = dialog.current;
    element.showModal();
    return () => element.close();
  }, []);
  return html`<dialog ref=${dialog} onCancel=${onClose} onClick=${(event) => event.target === dialog.current && onClose()}><div class="dialog-inner">${children}</div></dialog>`;
}

/** A form that sends what its fields hold, and stays open when that fails. */
function Form({ title, action, onSubmit, onClose, children }) {
  const submit = (event) => {
    event.preventDefault();
    onSubmit(new FormData(event.currentTarget));
  };
  return html`
    <form onSubmit=${submit}>
      <h2>${title}</h2>
      ${children}
      <div class="buttons">
        <button type="button" onClick=${onClose}>Cancel</button>
        <button type="submit" class="primary">${action}</button>
      </div>
    </form>
  `;
}

const filled = (form, name) => form.get(name)?.trim() || undefined;

function NewUser({ onClose }) {
  const create = async (form) => {
    const user = await attempt(() =>
      post("/users", {
        firstName: filled(form, "first") ?? "",
        lastName: filled(form, "last"),
        username: filled(form, "username"),
      }),
    );
    if (user === undefined) return;
    await refresh(0);
    chooseUser(user.id);
    onClose();
  };
  return html`
    <${Form} title="New user" action="Create" onSubmit=${create} onClose=${onClose}>
      <label>First name<input name="first" required autofocus /></label>
      <label>Last name<input name="last" /></label>
      <label>Username<input name="username" pattern="\\w{3,32}" title="3 to 32 letters, digits and _" /></label>
    <//>
  `;
}

function NewBot({ onClose }) {
  const [made, setMade] = useState();
  const create = async (form) => {
    const bot = await attempt(() =>
      post("/bots", {
        name: filled(form, "name") ?? "",
        username: filled(form, "username") ?? "",
        canReadAllGroupMessages: form.get("all") === "on",
        ...(form.get("inline") === "on" && { inline: true, inlineFeedback: true }),
      }),
    );
    if (bot !== undefined) setMade(bot);
  };
  if (made !== undefined)
    return html`
      <h2>@${made.username} is ready</h2>
      <p>This is its token. It is shown only here.</p>
      <code class="token">${made.token}</code>
      <div class="buttons"><button type="button" class="primary" onClick=${onClose}>Done</button></div>
    `;
  return html`
    <${Form} title="New bot" action="Create" onSubmit=${create} onClose=${onClose}>
      <label>Name<input name="name" required autofocus /></label>
      <label>Username<input name="username" required pattern="[A-Za-z]\\w*[Bb][Oo][Tt]" title="letters, digits and _, ending in bot" placeholder="something_bot" /></label>
      <label class="check"><input type="checkbox" name="all" />Reads all messages in groups (privacy mode off)</label>
      <label class="check"><input type="checkbox" name="inline" />Takes inline queries in any chat</label>
    <//>
  `;
}

function NewChat({ onClose }) {
  const create = async (form) => {
    const topics = (filled(form, "topics") ?? "")
      .split(",")
      .map((topic) => topic.trim())
      .filter(Boolean);
    const chat = await attempt(() =>
      post("/chats", {
        type: topics.length > 0 ? "supergroup" : form.get("type"),
        title: filled(form, "title") ?? "",
        memberIds: [state.userId, ...form.getAll("member").map(Number)],
        ...(topics.length > 0 && { topics }),
      }),
    );
    if (chat === undefined) return;
    await refresh(0);
    onClose();
    openChat(keyOf(chat.id));
  };
  const others = [...state.bots, ...state.users.filter((user) => user.id !== state.userId)];
  return html`
    <${Form} title="New group or channel" action="Create" onSubmit=${create} onClose=${onClose}>
      <label>Title<input name="title" required autofocus /></label>
      <label>Kind<select name="type"><option value="group">Group</option><option value="supergroup">Supergroup</option><option value="channel">Channel</option></select></label>
      <label>Topics, with commas between (makes a supergroup)<input name="topics" /></label>
      <fieldset><legend>Members</legend>
        ${others.map(
          (member) => html`
          <label class="check"><input type="checkbox" name="member" value=${member.id} checked=${member.is_bot && state.bots.length === 1} />
            <${Avatar} id=${member.id} name=${nameOf(member)} bot=${member.is_bot} size="small" />${nameOf(member)}${member.is_bot && html`<span class="tag">bot</span>`}</label>`,
        )}
        ${others.length === 0 && html`<p class="hint">Nobody else is here yet.</p>`}
      </fieldset>
    <//>
  `;
}

function Details({ onClose }) {
  const chat = currentChat();
  if (chat === undefined) return null;
  return chat.botId === undefined
    ? html`<${GroupDetails} chat=${chat} onClose=${onClose} />`
    : html`<${BotDetails} bot=${botOf(chat.botId)} onClose=${onClose} />`;
}

function GroupDetails({ chat, onClose }) {
  const members = chat.members.map((member) => ({ ...member, user: memberOf(member.id) }));
  const outside = [...state.bots, ...state.users].filter(
    (each) => !chat.members.some((member) => member.id === each.id),
  );
  const add = (event) => {
    event.preventDefault();
    const memberId = Number(new FormData(event.currentTarget).get("member"));
    attempt(() => post(`/chats/${chat.id}/members`, { memberId }));
  };
  const migrate = async () => {
    const made = await attempt(() => post("/migrate", { chatId: chat.id }));
    if (made === undefined) return;
    await refresh(0);
    onClose();
    openChat(keyOf(made.id));
  };
  const own = chat.members.find((member) => member.id === state.userId);
  const leave = async () => {
    const left = await attempt(() => remove(`/chats/${chat.id}/members/${state.userId}?how=left`));
    if (left === undefined) return;
    onClose();
    openChat(undefined);
  };
  const words = { creator: "creator", administrator: "administrator", member: "member" };
  return html`
    <h2>${chat.name}</h2>
    <p class="hint">${chat.type}, id <code>${chat.id}</code></p>
    <ul class="members">
      ${members.map(
        ({ id, status, user }) => html`
        <li key=${id}><${Avatar} id=${id} name=${nameOf(user)} bot=${user?.is_bot} size="small" />
          <span class="member-name">${nameOf(user)}<span class="hint">${words[status]}${user?.is_bot ? (user.privacy ? " · privacy mode" : " · reads everything") : ""}</span></span>
          ${user?.is_bot && chat.type !== "channel" && html`<button type="button" onClick=${() => attempt(() => post(`/chats/${chat.id}/members`, { memberId: id, status: status === "administrator" ? "member" : "administrator" }))}>${status === "administrator" ? "Make member" : "Make administrator"}</button>`}
          ${status !== "creator" && html`<button type="button" class="quiet" title="Take out" aria-label=${`Take ${nameOf(user)} out`} onClick=${() => attempt(() => remove(`/chats/${chat.id}/members/${id}?how=kicked`))}><${Icon} name="close" /></button>`}
        </li>`,
      )}
    </ul>
    ${
      outside.length > 0 &&
      html`
      <form class="inline-form" onSubmit=${add}>
        <label>Add<select name="member">${outside.map((each) => html`<option value=${each.id}>${nameOf(each)}${each.is_bot ? " (bot)" : ""}</option>`)}</select></label>
        <button type="submit"><${Icon} name="plus" />Add</button>
      </form>`
    }
    <div class="buttons">
      ${own && own.status !== "creator" && html`<button type="button" onClick=${leave}>Leave</button>`}
      ${chat.type === "group" && chat.migratedTo === undefined && html`<button type="button" onClick=${migrate}>Make it a supergroup</button>`}
      <button type="button" class="primary" onClick=${onClose}>Done</button>
    </div>
  `;
}

function BotDetails({ bot, onClose }) {
  const blocked = bot.blockedBy.includes(state.userId);
  return html`
    <h2>${bot.first_name}</h2>
    <p class="hint">@${bot.username}, id <code>${bot.id}</code></p>
    <dl>
      <dt>Groups</dt><dd>${bot.privacy ? "privacy mode: hears commands, replies and mentions" : "hears every message"}</dd>
      ${bot.inline && html`<dt>Inline</dt><dd>answers @${bot.username} in any chat</dd>`}
      <dt>Webhook</dt><dd>${bot.webhook.url || "none"}</dd>
      <dt>Waiting</dt><dd>${bot.webhook.pending_update_count} updates</dd>
      ${bot.webhook.last_error_message && html`<dt>Last error</dt><dd>${bot.webhook.last_error_message}</dd>`}
    </dl>
    <div class="buttons">
      <button type="button" onClick=${() => attempt(() => post(blocked ? "/unblock" : "/block", { userId: state.userId, botId: bot.id }))}>${blocked ? "Unblock" : "Block"}</button>
      <button type="button" class="primary" onClick=${onClose}>Done</button>
    </div>
  `;
}
