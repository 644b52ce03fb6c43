import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { post, sendFiles } from "./api.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { InlineResults, useInlineQuery } from "./inline-query.js";
import { describe } from "./message.js";
import { attempt, botOf, me, placeOf, state } from "./store.js";

/** Where one writes: text, files, commands, and the keyboard a bot may have laid out. */
export function Composer({ chat, messages, threadId, replyTo, onReplyEnd, editing, onEditing }) {
  const [text, setText] = useState("");
  const [files, setFiles] = useState([]);
  const [chosen, setChosen] = useState(0);
  const [keysHidden, setKeysHidden] = useState(0);
  const [sending, setSending] = useState(false);
  const input = useRef();
  const picker = useRef();
  const { asking, answer } = useInlineQuery(chat, editing ? "" : text);

  // Before the next key can be pressed: a later effect would overwrite what was typed meanwhile.
  useLayoutEffect(() => {
    if (editing) setText(editing.text ?? editing.caption ?? "");
    if (editing || replyTo) input.current?.focus();
  }, [editing, replyTo]);
  useEffect(() => {
    const box = input.current;
    if (!box) return;
    box.style.height = "auto";
    box.style.height = `${Math.min(160, box.scrollHeight)}px`;
  }, [text]);

  const bot = botOf(chat.botId);
  if (chat.migratedTo !== undefined)
    return html`<footer class="composer closed">This group became a supergroup. Go on in the new chat.</footer>`;
  const role = chat.members.find((member) => member.id === state.userId)?.status;
  if (chat.type === "channel" && role === "member")
    return html`<footer class="composer closed"><${Icon} name="lock" />Only administrators post in this channel.</footer>`;
  if (bot?.blockedBy.includes(state.userId))
    return html`<footer class="composer closed"><button type="button" class="primary" onClick=${() => attempt(() => post("/unblock", { userId: state.userId, botId: bot.id }))}>Unblock ${bot.first_name}</button></footer>`;
  const send = (message) =>
    attempt(() => post("/send", { from: state.userId, ...placeOf(chat), threadId, ...message }));
  if (bot !== undefined && messages.length === 0)
    return html`<footer class="composer closed"><button type="button" class="primary" onClick=${() => send({ text: "/start" })}>Start</button></footer>`;

  const suggestions =
    text.startsWith("/") && !/\s/.test(text) && !editing ? commandsFor(chat, text) : [];
  const keyboard = keyboardOf(messages, chat);
  const keysShown = keyboard !== undefined && keysHidden !== keyboard.message_id;

  const stop = () => {
    setText("");
    setFiles([]);
    onReplyEnd();
    onEditing(undefined);
  };
  const submit = async () => {
    const written = text.trim();
    if (sending || (written === "" && files.length === 0)) return;
    setSending(true);
    const reply = replyTo && { replyTo: replyTo.message_id };
    const place = { from: state.userId, ...placeOf(chat) };
    const done = editing
      ? await attempt(() =>
          post("/edit", { ...place, messageId: editing.message_id, text: written }),
        )
      : files.length > 0
        ? await attempt(() => sendFiles({ ...place, threadId, ...reply }, files, written))
        : await send({ text: written, ...reply });
    setSending(false);
    if (done === undefined) return;
    stop();
    input.current?.focus();
  };
  const complete = (suggestion) => {
    setText("");
    setChosen(0);
    send({ text: suggestion.sent });
  };
  const onKeyDown = (event) => {
    if (suggestions.length > 0) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step !== undefined) {
        event.preventDefault();
        setChosen((chosen + step + suggestions.length) % suggestions.length);
        return;
      }
      if (event.key === "Tab") {
        event.preventDefault();
        setText(`${suggestions[Math.min(chosen, suggestions.length - 1)].sent} `);
        return;
      }
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        complete(suggestions[Math.min(chosen, suggestions.length - 1)]);
        return;
      }
    }
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape") stop();
    else if (event.key === "ArrowUp" && text === "" && !editing) {
      const own = messages.findLast((message) => message.from?.id === state.userId && message.text);
      if (own !== undefined) {
        event.preventDefault();
        onEditing(own);
      }
    }
  };
  const add = (list) => {
    const added = [...list];
    if (added.length > 0) setFiles([...files, ...added].slice(0, 10));
    input.current?.focus();
  };

  return html`
    <footer class="composer" onDragOver=${(event) => event.preventDefault()}
      onDrop=${(event) => {
        event.preventDefault();
        add(event.dataTransfer.files);
      }}>
      ${asking && html`<${InlineResults} asking=${asking} answer=${answer} onChosen=${stop} />`}
      ${suggestions.length > 0 && html`<${Suggestions} list=${suggestions} chosen=${chosen} onChoose=${complete} />`}
      ${
        (replyTo || editing) &&
        html`
        <div class="context">
          <${Icon} name=${editing ? "edit" : "reply"} />
          <span class="context-text"><b>${editing ? "Edit message" : `Reply to ${replyTo.from?.first_name ?? chat.name}`}</b><span>${describe(editing ?? replyTo)}</span></span>
          <button type="button" class="quiet" onClick=${stop} aria-label="Cancel"><${Icon} name="close" /></button>
        </div>`
      }
      ${
        files.length > 0 &&
        html`
        <ul class="attachments" aria-label="Attached files">
          ${files.map(
            (file, index) => html`
            <li><${Icon} name="file" /><span>${file.name}</span>
              <button type="button" class="quiet" aria-label=${`Remove ${file.name}`} onClick=${() => setFiles(files.filter((_, at) => at !== index))}><${Icon} name="close" /></button>
            </li>`,
          )}
        </ul>`
      }
      <div class="write">
        <button type="button" class="quiet" onClick=${() => picker.current.click()} title="Attach files" aria-label="Attach files" disabled=${!!editing}><${Icon} name="attach" /></button>
        <input type="file" multiple hidden ref=${picker} onChange=${(event) => {
          add(event.target.files);
          event.target.value = "";
        }} />
        ${
          commandsFor(chat, "/").length > 0 &&
          html`<button type="button" class="quiet" title="Commands" aria-label="Commands" onClick=${() => {
            setText("/");
            input.current?.focus();
          }}><${Icon} name="menu" /></button>`
        }
        <textarea ref=${input} rows="1" value=${text} placeholder=${files.length > 0 ? "Add a caption" : "Write a message"} aria-label="Message"
          role="combobox" aria-expanded=${suggestions.length > 0} aria-controls="suggestions" aria-autocomplete="list"
          onInput=${(event) => {
            setText(event.target.value);
            setChosen(0);
          }}
          onPaste=${(event) => event.clipboardData.files.length > 0 && add(event.clipboardData.files)}
          onKeyDown=${onKeyDown}></textarea>
        <button type="button" class="send" onClick=${submit} aria-label=${editing ? "Save the edit" : "Send"} title=${editing ? "Save" : "Send"} disabled=${sending || (text.trim() === "" && files.length === 0)}><${Icon} name=${editing ? "ok" : "send"} /></button>
      </div>
      ${
        keysShown &&
        html`<${ReplyKeyboard} markup=${keyboard.reply_markup} onKey=${(message) => {
          if (keyboard.reply_markup.one_time_keyboard) setKeysHidden(keyboard.message_id);
          send(message);
        }} />`
      }
    </footer>
  `;
}

/** Commands that fit what is typed, of the bots that are here. In groups they name their bot. */
function commandsFor(chat, typed) {
  const prefix = typed.slice(1).toLowerCase();
  const isPrivate = chat.botId !== undefined;
  const bots = isPrivate
    ? [botOf(chat.botId)]
    : chat.members.map(({ id }) => botOf(id)).filter((bot) => bot !== undefined);
  return bots.flatMap((bot) => {
    const scope = isPrivate ? "all_private_chats" : "all_group_chats";
    const commands = bot?.commands[scope] ?? bot?.commands.default ?? [];
    return commands
      .map(({ command, description }) => ({
        description,
        sent: `/${command}${isPrivate ? "" : `@${bot.username}`}`,
      }))
      .filter(({ sent }) => sent.slice(1).toLowerCase().startsWith(prefix));
  });
}

function Suggestions({ list, chosen, onChoose }) {
  return html`
    <ul class="suggestions" id="suggestions" role="listbox" aria-label="Commands">
      ${list.map(
        (suggestion, index) => html`
        <li role="option" aria-selected=${index === Math.min(chosen, list.length - 1)}>
          <button type="button" tabindex="-1" onClick=${() => onChoose(suggestion)}>
            <b>${suggestion.sent}</b><span>${suggestion.description}</span>
          </button>
        </li>`,
      )}
    </ul>
  `;
}

/** The newest reply keyboard that has not been taken away again. */
function keyboardOf(messages, chat) {
  if (chat.type === "channel") return undefined;
  const latest = messages.findLast(
    ({ reply_markup: markup }) => markup?.keyboard !== undefined || markup?.remove_keyboard,
  );
  return latest?.reply_markup.keyboard === undefined ? undefined : latest;
}

function ReplyKeyboard({ markup, onKey }) {
  const press = (button) => {
    if (typeof button === "object" && button.request_contact)
      onKey({
        contact: { phone_number: "+15550100", first_name: me().first_name, user_id: me().id },
      });
    else onKey({ text: typeof button === "string" ? button : button.text });
  };
  return html`
    <div class="reply-keyboard" aria-label="The bot's keyboard">
      ${markup.keyboard.map(
        (row) => html`
        <div class="key-row">
          ${row.map((button) => html`<button type="button" class="key" onClick=${() => press(button)}>${typeof button === "string" ? button : button.text}</button>`)}
        </div>`,
      )}
    </div>
  `;
}
