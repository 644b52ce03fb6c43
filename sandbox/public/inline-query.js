import { useEffect, useState } from "preact/hooks";
import { get, post } from "./api.js";
import { html } from "./html.js";
import { attempt, placeOf, state } from "./store.js";

/** An app asks when one stops typing for a moment. */
const pauseMs = 250;

/** The bot and query in `@bot query`, of bots that take them; undefined for any other text. */
export function inlineQueryIn(text) {
  const [, username, query] = /^@(\w+)\s([\s\S]*)$/.exec(text) ?? [];
  if (username === undefined) return undefined;
  const bot = state.bots.find(
    (each) => each.inline && each.username.toLowerCase() === username.toLowerCase(),
  );
  return bot && { bot, query: query.trim() };
}

/** Asks while one types, and gives what the bot answered: undefined as long as it has not. */
export function useInlineQuery(chat, text) {
  const asking = inlineQueryIn(text);
  const key = asking && `${chat.key} ${asking.bot.id} ${asking.query}`;
  const [asked, setAsked] = useState();
  useEffect(() => {
    if (key === undefined) return;
    const timer = setTimeout(async () => {
      const answer = await attempt(() =>
        post("/inline", {
          from: state.userId,
          ...placeOf(chat),
          viaBotId: asking.bot.id,
          query: asking.query,
        }),
      );
      if (answer !== undefined) setAsked({ ...answer, key });
    }, pauseMs);
    return () => clearTimeout(timer);
  }, [key]);
  const waitsFor = asked && !asked.isAnswered ? asked.inlineQueryId : undefined;
  const isThere = waitsFor !== undefined && state.inlineAnswers.has(waitsFor);
  useEffect(() => {
    if (!isThere) return;
    state.inlineAnswers.delete(waitsFor);
    attempt(() => get(`/inline/${waitsFor}`)).then(
      (answer) => answer !== undefined && setAsked({ ...answer, key: asked.key }),
    );
  }, [isThere]);
  return { asking, answer: asked?.key === key && asked?.isAnswered ? asked : undefined };
}

/** What one may post; choosing posts it at once. */
export function InlineResults({ asking, answer, onChosen }) {
  const choose = async (result) => {
    const path = `/inline/${answer.inlineQueryId}/choose`;
    if (await attempt(() => post(path, { resultId: result.id }))) onChosen();
  };
  return html`
    <ul class="suggestions inline-results" role="listbox" aria-label=${`Results of @${asking.bot.username}`}>
      ${answer === undefined && html`<li class="hint" role="status">Waiting for @${asking.bot.username}…</li>`}
      ${answer?.results.length === 0 && html`<li class="hint" role="status">@${asking.bot.username} has nothing for this.</li>`}
      ${answer?.results.map(
        (result) => html`
        <li role="option" key=${result.id} aria-selected="false">
          <button type="button" onClick=${() => choose(result)}><b>${result.title ?? result.type}</b><span>${result.description}</span></button>
        </li>`,
      )}
    </ul>
  `;
}
