import { type Core, OpenQueries } from "./core.ts";
import { SandboxError } from "./errors.ts";
import type { FormattedText } from "./markup-html.ts";
import type { InlineQuestion, InlineResults } from "./person-actions.ts";
import { memberChat } from "./places.ts";
import { post } from "./post.ts";
import { renderMessage, renderPerson } from "./render.ts";
import type { ReplyMarkup, TelegramMessage } from "./telegram-objects.ts";
import { type Bot, type Chat, newId, type StoredMessage } from "./world.ts";

/**
 * `@bot query`: a person asks, the bot answers with results, one of them is posted in the person's
 * name. Answers are kept for all (or, when personal, for who asked) as long as the bot said, and a
 * kept one is given again without asking the bot (Bot API: answerInlineQuery).
 */

/** A result that can be posted. */
export interface InlineResult {
  id: string;
  type: string;
  title?: string;
  description?: string;
  content: FormattedText;
  replyMarkup?: ReplyMarkup;
}

export interface InlineAnswer {
  results: InlineResult[];
  nextOffset: string;
  button?: { text: string; start_parameter?: string };
}

interface InlineQuery {
  id: string;
  atMs: number;
  userId: number;
  botId: number;
  chatKey: string;
  query: string;
  offset: string;
  answer?: InlineAnswer;
}

/** What was asked may be chosen from for this long; what was answered is kept no longer either. */
const lifetimeMs = 60 * 60 * 1000;
const keptAnswers = 1_000;

export class InlineDesk {
  readonly open = new OpenQueries<InlineQuery>();
  readonly #kept = new Map<string, { answer: InlineAnswer; untilMs: number }>();

  kept(query: Pick<InlineQuery, "botId" | "userId" | "query" | "offset">, nowMs: number) {
    for (const key of [keyOf(query, query.userId), keyOf(query, "all")]) {
      const found = this.#kept.get(key);
      if (found !== undefined && found.untilMs > nowMs) return found.answer;
      this.#kept.delete(key);
    }
    return undefined;
  }

  keep(query: InlineQuery, answer: InlineAnswer, isPersonal: boolean, untilMs: number): void {
    const key = keyOf(query, isPersonal ? query.userId : "all");
    this.#kept.delete(key);
    this.#kept.set(key, { answer, untilMs });
    if (this.#kept.size <= keptAnswers) return;
    const oldest = this.#kept.keys().next();
    if (!oldest.done) this.#kept.delete(oldest.value);
  }
}

function keyOf(
  query: Pick<InlineQuery, "botId" | "query" | "offset">,
  whose: number | "all",
): string {
  return JSON.stringify([query.botId, whose, query.offset, query.query]);
}

export function ask(core: Core, question: InlineQuestion): InlineResults {
  const { world, inline, clock } = core;
  const chat = memberChat(core, question, question.from);
  if (chat.businessUserId !== undefined)
    throw new SandboxError("the sandbox does not simulate inline queries in business accounts");
  const bot = world.bot(question.viaBotId ?? chat.botId ?? question.botId ?? 0);
  if (bot.inline !== true) throw new SandboxError(`@${bot.username} takes no inline queries`);
  if (Buffer.byteLength(question.query) > 256)
    throw new SandboxError("an inline query has at most 256 bytes");
  const asked: InlineQuery = {
    id: newId(),
    atMs: clock.now(),
    userId: question.from,
    botId: bot.id,
    chatKey: chat.key,
    query: question.query,
    offset: question.offset ?? "",
  };
  const kept = inline.kept(asked, clock.now());
  if (kept !== undefined) asked.answer = kept;
  inline.open.add(asked, lifetimeMs);
  if (kept === undefined)
    core.updatesOf(bot.id).push({
      inline_query: {
        id: asked.id,
        from: renderPerson(world.person(question.from)),
        chat_type: chatTypeFor(chat, bot),
        query: asked.query,
        offset: asked.offset,
      },
    });
  return resultsOf(asked);
}

/** Bot API: InlineQuery.chat_type. */
function chatTypeFor(chat: Chat, bot: Bot): string {
  return chat.type === "private" && chat.botId === bot.id ? "sender" : chat.type;
}

export function results(core: Core, inlineQueryId: string): InlineResults {
  return resultsOf(find(core, inlineQueryId));
}

function find(core: Core, inlineQueryId: string): InlineQuery {
  const query = core.inline.open.get(inlineQueryId);
  if (query === undefined) throw new SandboxError(`no inline query ${inlineQueryId}`, 404);
  return query;
}

function resultsOf({ id, answer }: InlineQuery): InlineResults {
  return {
    inlineQueryId: id,
    isAnswered: answer !== undefined,
    results: (answer?.results ?? []).map(({ id: resultId, type, title, description }) => ({
      id: resultId,
      type,
      ...(title !== undefined && { title }),
      ...(description !== undefined && { description }),
    })),
    ...(answer?.nextOffset && { nextOffset: answer.nextOffset }),
    ...(answer?.button !== undefined && { button: answer.button }),
  };
}

export function choose(core: Core, inlineQueryId: string, resultId: string): TelegramMessage {
  const { world } = core;
  const query = find(core, inlineQueryId);
  const result = query.answer?.results.find(({ id }) => id === resultId);
  if (result === undefined)
    throw new SandboxError(`inline query ${inlineQueryId} has no result ${resultId}`, 404);
  const asked = world.chats.get(query.chatKey);
  if (asked === undefined) throw new SandboxError(`chat ${query.chatKey} is gone`, 404);
  const place = { chatId: asked.id, ...(asked.botId !== undefined && { botId: asked.botId }) };
  const chat = memberChat(core, place, query.userId);
  const message = post(core, chat, {
    ...(chat.type !== "channel" && { from: query.userId }),
    text: result.content.text,
    entities: result.content.entities,
    viaBot: query.botId,
    ...(result.replyMarkup !== undefined && { replyMarkup: result.replyMarkup }),
  });
  const bot = world.bot(query.botId);
  if (bot.inlineFeedback === true)
    core.updatesOf(bot.id).push({
      chosen_inline_result: {
        result_id: resultId,
        from: renderPerson(world.person(query.userId)),
        query: query.query,
        // Only a message with buttons can be changed later, and so has a name to be changed by.
        ...(result.replyMarkup !== undefined && {
          inline_message_id: inlineMessageId(chat, message),
        }),
      },
    });
  return renderMessage(world, chat, message, 0);
}

export function inlineMessageId(chat: Chat, message: StoredMessage): string {
  return Buffer.from(`inline ${chat.key} ${message.id}`).toString("base64url");
}

/** The message that a bot's `inline_message_id` names; undefined when it is none of its own. */
export function inlineMessage(
  core: Core,
  botId: number,
  id: string,
): { chat: Chat; message: StoredMessage } | undefined {
  const [word, chatKey = "", messageId] = Buffer.from(id, "base64url").toString("utf8").split(" ");
  const chat = word === "inline" ? core.world.chats.get(chatKey) : undefined;
  const message = chat?.messages.get(Number(messageId));
  if (chat === undefined || message?.viaBot !== botId) return undefined;
  return { chat, message };
}

/** Takes a bot's answer, for who asked and for those who will ask the same. */
export function answer(
  core: Core,
  botId: number,
  inlineQueryId: string,
  given: InlineAnswer & { cacheTimeS: number; isPersonal: boolean },
): boolean {
  const nowMs = core.clock.now();
  const query = core.inline.open.get(inlineQueryId);
  if (query?.botId !== botId || nowMs - query.atMs > core.limits.inlineAnswerMs) return false;
  query.answer = given;
  if (given.cacheTimeS > 0)
    core.inline.keep(query, given, given.isPersonal, nowMs + given.cacheTimeS * 1000);
  core.record.add({
    kind: "inlineAnswer",
    botId,
    userId: query.userId,
    inlineQueryId,
    resultIds: given.results.map(({ id }) => id),
    cacheTimeS: given.cacheTimeS,
    isPersonal: given.isPersonal,
  });
  return true;
}
