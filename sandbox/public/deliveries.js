import { html } from "./html.js";
import { Icon } from "./icons.js";
import { timeOf } from "./message.js";
import { useStore } from "./store.js";

/** How each bot's updates get out, in a line: an icon and a word, and the error where there is one. */
export function Deliveries() {
  const { bots, connected, ready } = useStore();
  return html`
    <footer class="deliveries" aria-label="Deliveries">
      ${ready && !connected && html`<span class="delivery failing" role="status"><${Icon} name="failing" /><b>Sandbox</b> not reachable, trying again</span>`}
      ${bots.map((bot) => {
        const { icon, word, detail } = statusOf(bot.webhook);
        return html`
          <span class=${`delivery ${icon}`} key=${bot.id} title=${detail ?? bot.webhook.url}>
            <${Icon} name=${icon} /><b>@${bot.username}</b> ${word}${detail && html`<span class="detail"> — ${detail}</span>`}
          </span>
        `;
      })}
    </footer>
  `;
}

function statusOf(webhook) {
  const count = webhook.pending_update_count;
  const waiting = `${count} ${count === 1 ? "update" : "updates"} waiting`;
  if (webhook.url === "")
    return count > 0
      ? { icon: "waiting", word: waiting, detail: "no webhook; the bot may ask for them" }
      : { icon: "off", word: "no webhook" };
  if (count > 0 && webhook.last_error_message !== undefined)
    return {
      icon: "failing",
      word: `failing, ${waiting}`,
      detail: `${webhook.last_error_message} (${timeOf(webhook.last_error_date)})`,
    };
  if (count > 0) return { icon: "waiting", word: waiting };
  return {
    icon: "ok",
    word: "delivering",
    ...(webhook.last_error_message !== undefined && {
      detail: `last error at ${timeOf(webhook.last_error_date)}: ${webhook.last_error_message}`,
    }),
  };
}
