import { count, duration, rate } from "./format.js";
import { html } from "./html.js";
import { State } from "./icons.js";
import { useNow, useTopic } from "./live.js";
import { Link } from "./router.js";

/** Each bot: whether it works, how fast it sends, and what Telegram holds. */
export function Bots() {
  const found = useTopic("bots").get("bots");
  const nowMs = useNow();
  if (found === undefined) return html`<p class="loading" role="status">Looking…</p>`;
  if (found.bots.length === 0) return html`<p class="nothing">No bot is connected.</p>`;
  return html`
    ${found.more && html`<p class="hint">The first ${count(found.bots.length)}: those in trouble, then by name.</p>`}
    <ul class="cards">${found.bots.map((bot) => html`<${Bot} key=${bot.id} bot=${bot} nowMs=${nowMs} />`)}</ul>
  `;
}

function Bot({ bot, nowMs }) {
  const { sending } = bot;
  const heldMs = sending?.heldUntil ? new Date(sending.heldUntil) - nowMs : 0;
  const holds = (sending?.holds ?? []).filter((hold) => new Date(hold.until) > nowMs);
  return html`
    <li class="card">
      <div class="card-head"><h2>${bot.name}</h2><${State} of=${bot.status} />${heldMs > 0 && html`<${State} of="held" />`}</div>
      <p class="hint">@${bot.username} · ${bot.workspaceName}</p>
      ${bot.statusDetail && html`<p class="bad">${bot.statusDetail}</p>`}
      ${heldMs > 0 && html`<p class="countdown" role="timer">Telegram holds this bot for ${duration(Math.ceil(heldMs / 1_000) * 1_000)} more</p>`}
      <dl>
        <dt>Sends</dt><dd>${rate(sending?.sendRate ?? 0)}, ${count(sending?.sent ?? 0)} in the last minute</dd>
        ${sending?.learnedRate && html`<dt>Learned limit</dt><dd>${rate(sending.learnedRate)}</dd>`}
        <dt>Too many requests</dt><dd>${count(sending?.rateLimited ?? 0)} in the last minute</dd>
        <dt>Failed</dt><dd>${count(sending?.failed ?? 0)} in the last minute</dd>
        <dt>Unknown whether sent</dt><dd>${count(sending?.unknown ?? 0)} in the last minute</dd>
        <dt>Chats held</dt><dd>${count(sending?.heldChats ?? 0)}</dd>
      </dl>
      ${
        holds.length > 0 &&
        html`
        <ul class="lanes" aria-label="Chats held">${holds.map(
          ({ chatId, until }) =>
            html`<li key=${chatId}><${State} of="held" /> <code>${chatId}</code> <span role="timer">${duration(Math.ceil((new Date(until) - nowMs) / 1_000) * 1_000)} more</span></li>`,
        )}</ul>`
      }
      <p><${Link} href=${`/console/jobs?queue=outbound&lane=${bot.id}`}>What it has to send<//></p>
    </li>
  `;
}
