import { useEffect, useState } from "preact/hooks";
import * as api from "./api.js";

/**
 * What the page knows. Events change it as they come; what an event does not carry is fetched
 * again, at most a few times a second.
 */
export const state = {
  users: [],
  bots: [],
  chats: [],
  ready: false,
  connected: false,
  /** Chat key → messages, of chats that have been opened. */
  messages: new Map(),
  /** Chat key → how many messages were asked for. */
  depth: new Map(),
  /** Chat key → number of messages not looked at. */
  unread: new Map(),
  /** Chat key → { botId, action, timer }. */
  actions: new Map(),
  /** Ids of inline queries that have been answered and not yet looked at. */
  inlineAnswers: new Set(),
  toasts: [],
  alert: undefined,
  userId: undefined,
  chatKey: undefined,
};

const subscribers = new Set();

export function notify() {
  for (const run of subscribers) run();
}

/** Renders the component again whenever the state changes. */
export function useStore() {
  const [, setTick] = useState(0);
  useEffect(() => {
    const run = () => setTick((tick) => tick + 1);
    subscribers.add(run);
    return () => subscribers.delete(run);
  }, []);
  return state;
}

export const keyOf = (chatId, botId) => (botId === undefined ? `${chatId}` : `${chatId}:${botId}`);
export const me = () => state.users.find((user) => user.id === state.userId);
export const botOf = (id) => state.bots.find((bot) => bot.id === id);
export const memberOf = (id) => state.users.find((user) => user.id === id) ?? botOf(id);
export const nameOf = (user) =>
  user === undefined ? "?" : [user.first_name, user.last_name].filter(Boolean).join(" ");

/** The chats of who one is: groups one is in, and every bot, also those not written to yet. */
export function myChats() {
  const { userId } = state;
  const groups = state.chats.filter(
    (chat) => chat.botId === undefined && chat.members.some((member) => member.id === userId),
  );
  const dialogs = state.bots.map((bot) => {
    const key = keyOf(userId, bot.id);
    const known = state.chats.find((chat) => chat.key === key);
    return { key, id: userId, type: "private", members: [], topics: [], ...known, botId: bot.id };
  });
  return [...groups, ...dialogs]
    .map((chat) => ({ ...chat, name: chat.title ?? nameOf(botOf(chat.botId)) }))
    .sort((a, b) => (b.lastMessage?.date ?? 0) - (a.lastMessage?.date ?? 0));
}

export const currentChat = () => myChats().find((chat) => chat.key === state.chatKey);

/** Where a message of this chat goes, as the API wants it. */
export const placeOf = (chat) => ({
  chatId: chat.id,
  ...(chat.botId !== undefined && { botId: chat.botId }),
});

let refreshing;
/** Fetches the overview soon; calls in between wait for the same one. */
export function refresh(delayMs = 120) {
  refreshing ??= new Promise((resolve) => setTimeout(resolve, delayMs)).then(async () => {
    refreshing = undefined;
    try {
      const overview = await api.get("/state");
      Object.assign(state, overview, { ready: true });
      if (me() === undefined) chooseUser(state.users[0]?.id);
    } catch (error) {
      toast(error.message, true);
    }
    notify();
  });
  return refreshing;
}

export function chooseUser(userId) {
  state.userId = userId;
  state.unread.clear();
  if (currentChat() === undefined) state.chatKey = undefined;
  remember();
  notify();
}

export async function openChat(key) {
  state.chatKey = key;
  state.unread.delete(key);
  remember();
  notify();
  if (key !== undefined) await loadMessages();
}

/** Loads the open chat's messages; `more` asks for older ones. */
export async function loadMessages(more = 0) {
  const chat = currentChat();
  if (chat === undefined) return;
  const depth = (state.depth.get(chat.key) ?? 200) + more;
  state.depth.set(chat.key, depth);
  // Opening a private chat that nobody wrote in yet must not create it.
  if (!state.chats.some((known) => known.key === chat.key)) return;
  const place = new URLSearchParams({ ...placeOf(chat), last: String(depth) });
  // What happens while the answer is on its way may not be in it, and is applied again after.
  const meanwhile = [];
  loading.add(meanwhile);
  try {
    const list = await api.get(`/messages?${place}`);
    const own = meanwhile.filter((entry) => keyOf(entry.chatId, entry.botId) === chat.key);
    state.messages.set(chat.key, own.reduce(changedBy, list));
  } catch (error) {
    toast(error.message, true);
  }
  loading.delete(meanwhile);
  notify();
}

const loading = new Set();

/** A list of messages with one entry's change made; making it twice does no harm. */
function changedBy(list, { what, message }) {
  const at = list.findIndex((each) => each.message_id === message.message_id);
  if (what === "deleted") return list.filter((_, index) => index !== at);
  if (at >= 0) return list.with(at, message);
  return what === "new" ? [...list, message] : list;
}

/** Runs an action and shows what went wrong, if something did. Gives its answer, or undefined. */
export async function attempt(action) {
  try {
    return (await action()) ?? true;
  } catch (error) {
    toast(error.message, true);
    return undefined;
  }
}

let nextToast = 1;
export function toast(text, isError = false) {
  const entry = { id: nextToast++, text, isError };
  state.toasts = [...state.toasts, entry].slice(-4);
  setTimeout(() => {
    state.toasts = state.toasts.filter((each) => each !== entry);
    notify();
  }, 4500);
  notify();
}

function remember() {
  const place = new URLSearchParams();
  if (state.userId !== undefined) place.set("user", state.userId);
  if (state.chatKey !== undefined) place.set("chat", state.chatKey);
  history.replaceState(null, "", `#${place}`);
}

function onMessage(entry) {
  const key = keyOf(entry.chatId, entry.botId);
  const { message } = entry;
  const chat = state.chats.find((known) => known.key === key);
  for (const meanwhile of loading) meanwhile.push(entry);
  const list = state.messages.get(key);
  if (list !== undefined) state.messages.set(key, changedBy(list, entry));
  // A chat that has just come into being is loaded once it is known.
  if (chat === undefined) refresh().then(() => key === state.chatKey && loadMessages());
  if (entry.what === "deleted") refresh();
  else if (chat !== undefined && (chat.lastMessage?.message_id ?? -1) <= message.message_id)
    chat.lastMessage = message;
  if (entry.what !== "new") return;
  const action = state.actions.get(key);
  if (action !== undefined && message.from?.id === action.botId) endAction(key);
  if (key !== state.chatKey && message.from?.id !== state.userId)
    state.unread.set(key, (state.unread.get(key) ?? 0) + 1);
}

function endAction(key) {
  clearTimeout(state.actions.get(key)?.timer);
  state.actions.delete(key);
}

/** A chat action shows for five seconds, or until the bot's message (Bot API: sendChatAction). */
function onAction(entry) {
  const key = entry.chatId > 0 ? keyOf(entry.chatId, entry.botId) : keyOf(entry.chatId);
  endAction(key);
  const timer = setTimeout(() => {
    endAction(key);
    notify();
  }, 5000);
  state.actions.set(key, { botId: entry.botId, action: entry.action, timer });
}

function onCallbackAnswer(entry) {
  if (entry.userId !== state.userId || !entry.text) return;
  if (entry.showAlert) state.alert = entry.text;
  else toast(entry.text);
}

function onInlineAnswer(entry) {
  if (entry.userId === state.userId) state.inlineAnswers.add(entry.inlineQueryId);
}

const kinds = [
  "message",
  "callbackAnswer",
  "inlineAnswer",
  "chatAction",
  "changed",
  "delivery",
  "expired",
  "webhookRemoved",
];

export async function start() {
  const place = new URLSearchParams(location.hash.slice(1));
  if (place.has("user")) state.userId = Number(place.get("user"));
  state.chatKey = place.get("chat") ?? undefined;
  let wasConnected = false;
  api.listen(
    kinds,
    (entry) => {
      if (entry.kind === "message") onMessage(entry);
      else if (entry.kind === "chatAction") onAction(entry);
      else if (entry.kind === "callbackAnswer") onCallbackAnswer(entry);
      else if (entry.kind === "inlineAnswer") onInlineAnswer(entry);
      else refresh(entry.kind === "delivery" ? 400 : 120);
      notify();
    },
    (connected) => {
      // After a restart of the sandbox the stream may have a gap: look at everything again.
      if (connected && !state.connected && wasConnected) {
        state.messages.clear();
        refresh(0).then(() => loadMessages());
      }
      wasConnected ||= connected;
      state.connected = connected;
      notify();
    },
  );
  await refresh(0);
  if (currentChat() === undefined) state.chatKey = undefined;
  await loadMessages();
}
