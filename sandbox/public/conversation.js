import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { post } from "./api.js";
import { Composer } from "./composer.js";
import { html } from "./html.js";
import { Avatar, Icon } from "./icons.js";
import { dayOf, isService, Message } from "./message.js";
import {
  attempt,
  botOf,
  currentChat,
  loadMessages,
  openChat,
  placeOf,
  state,
  useStore,
} from "./store.js";

const actionWords = {
  typing: "typing",
  upload_photo: "sending a photo",
  upload_document: "sending a file",
};

/** The open chat: its head, its messages, and where one writes. */
export function Conversation({ onDialog }) {
  useStore();
  const chat = currentChat();
  const [replyTo, setReplyTo] = useState();
  const [editing, setEditing] = useState();
  const [threadId, setThreadId] = useState();
  const key = chat?.key;
  useLayoutEffect(() => {
    setReplyTo(undefined);
    setEditing(undefined);
    setThreadId(undefined);
  }, [key]);
  if (chat === undefined)
    return html`<main class="conversation empty"><div class="placeholder"><${Icon} name="reply" /><p>Choose a chat to start talking.</p></div></main>`;

  const all = state.messages.get(chat.key) ?? [];
  const messages =
    threadId === undefined ? all : all.filter((message) => message.message_thread_id === threadId);
  const send = (message) =>
    attempt(() => post("/send", { from: state.userId, ...placeOf(chat), ...message }));
  return html`
    <main class="conversation" aria-label=${`Chat with ${chat.name}`}>
      <${Head} chat=${chat} onDialog=${onDialog} />
      ${chat.topics.length > 0 && html`<${Topics} chat=${chat} threadId=${threadId} onChoose=${setThreadId} />`}
      <${MessageList} chat=${chat} messages=${messages}
        hasMore=${all.length >= (state.depth.get(chat.key) ?? 200)}
        onReply=${(message) => {
          setEditing(undefined);
          setReplyTo(message);
        }}
        onEdit=${(message) => {
          setReplyTo(undefined);
          setEditing(message);
        }}
        onCommand=${(text) => send({ text, threadId })} />
      <${Composer} key=${chat.key} chat=${chat} messages=${messages} threadId=${threadId}
        replyTo=${replyTo} onReplyEnd=${() => setReplyTo(undefined)}
        editing=${editing} onEditing=${setEditing} />
    </main>
  `;
}

function Head({ chat, onDialog }) {
  const action = state.actions.get(chat.key);
  const bot = botOf(chat.botId);
  const people = chat.members.length;
  const about =
    bot !== undefined
      ? `@${bot.username}`
      : `${chat.type} · ${people} ${people === 1 ? "member" : "members"}`;
  return html`
    <header class="head">
      <button type="button" class="quiet back" onClick=${() => openChat(undefined)} aria-label="Back to the chats"><${Icon} name="back" /></button>
      <${Avatar} id=${chat.botId ?? chat.id} name=${chat.name} bot=${bot !== undefined} />
      <div class="head-text">
        <h1>${chat.name}${bot !== undefined && html`<span class="tag">bot</span>`}</h1>
        <p aria-live="polite">
          ${
            action
              ? html`<span class="typing">${botOf(action.botId)?.first_name} is ${actionWords[action.action] ?? "busy"}<span class="dots"><i></i><i></i><i></i></span></span>`
              : about
          }
        </p>
      </div>
      <button type="button" class="quiet" onClick=${() => onDialog("details")} title="Details and members" aria-label="Details and members"><${Icon} name="more" /></button>
    </header>
  `;
}

function Topics({ chat, threadId, onChoose }) {
  return html`
    <nav class="topics" aria-label="Topics">
      ${[{ id: undefined, name: "All" }, ...chat.topics].map(
        (topic) => html`
          <button type="button" aria-pressed=${topic.id === threadId} onClick=${() => onChoose(topic.id)}>${topic.name}</button>
        `,
      )}
    </nav>
  `;
}

/** The messages, kept at their end while one is there; who reads further up is not pulled away. */
function MessageList({ chat, messages, hasMore, onReply, onEdit, onCommand }) {
  const list = useRef();
  const atEnd = useRef(true);
  const [behind, setBehind] = useState(false);
  const toEnd = () => {
    const element = list.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  useLayoutEffect(() => {
    atEnd.current = true;
    setBehind(false);
    toEnd();
  }, [chat.key]);
  useLayoutEffect(() => {
    if (messages.length === 0) return;
    const last = messages.at(-1);
    if (atEnd.current || last.from?.id === state.userId) toEnd();
    else setBehind(true);
  }, [messages]);
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = list.current;
    atEnd.current = scrollHeight - scrollTop - clientHeight < 40;
    if (atEnd.current) setBehind(false);
  };
  return html`
    <div class="list-frame">
      <div class="list" ref=${list} onScroll=${onScroll} onLoadCapture=${() => atEnd.current && toEnd()} role="log" aria-live="polite" aria-label="Messages" tabindex="0">
        <div class="list-inner">
          ${hasMore && html`<button type="button" class="earlier" onClick=${() => loadMessages(400)}>Show earlier messages</button>`}
          ${messages.map((message, index) => {
            const before = messages[index - 1];
            const day = dayOf(message.date);
            const newDay = before === undefined || dayOf(before.date) !== day;
            const first =
              newDay ||
              isService(before) ||
              before.from?.id !== message.from?.id ||
              message.date - before.date > 300;
            return html`
              ${newDay && html`<div class="day" key=${`day-${day}`}><span>${day}</span></div>`}
              <${Message} key=${message.message_id} chat=${chat} message=${message} first=${first} onReply=${onReply} onEdit=${onEdit} onCommand=${onCommand} />
            `;
          })}
          ${messages.length === 0 && html`<${Nothing} chat=${chat} />`}
        </div>
      </div>
      ${behind && html`<button type="button" class="to-end" onClick=${toEnd}><${Icon} name="down" />New messages</button>`}
    </div>
  `;
}

function Nothing({ chat }) {
  const bot = botOf(chat.botId);
  if (bot === undefined) return html`<p class="nothing">No messages here yet.</p>`;
  return html`
    <div class="nothing">
      <${Avatar} id=${bot.id} bot name=${bot.first_name} size="large" />
      <h2>${bot.first_name}</h2>
      <p>${bot.description || "A bot hears nothing from you until you start it."}</p>
    </div>
  `;
}
