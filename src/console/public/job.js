import { useEffect, useState } from "preact/hooks";
import { get, post } from "./api.js";
import { ago, count, duration, time } from "./format.js";
import { html } from "./html.js";
import { State } from "./icons.js";
import { actions } from "./job-actions.js";
import { useLiveState, useNow, useTopic } from "./live.js";
import { Link } from "./router.js";
import { attempt, toast } from "./toasts.js";

/** One job: what became of it when, why, and what it led to. */
export function Job({ id }) {
  const pictures = useTopic("queues");
  const { paused } = useLiveState();
  const [page, setPage] = useState();
  const [error, setError] = useState();
  const nowMs = useNow();
  const moment = pictures.get("queues")?.atMs;
  const load = async () => {
    try {
      setPage(await get(`/jobs/${encodeURIComponent(id)}`));
      setError(undefined);
    } catch (fault) {
      setError(fault.message);
    }
  };
  useEffect(() => {
    if (page === undefined || (!paused && !document.hidden)) load();
  }, [moment]);
  const act = async ({ name, done }) => {
    const changed = await attempt(() => post(`/jobs/${id}/${name}`));
    if (changed !== undefined) toast(`Job ${id}: ${done}`);
    await load();
  };
  if (page === undefined) {
    return error === undefined
      ? html`<p class="loading" role="status">Looking…</p>`
      : html`<p class="trouble" role="alert">${error}</p><p><${Link} href="/console/jobs">All jobs<//></p>`;
  }
  const { job } = page;
  return html`
    ${error !== undefined && html`<p class="trouble" role="alert">${error}</p>`}
    <div class="job-head">
      <${State} of=${job.state} />
      <span>${job.queue} · ${job.kind}</span>
      <span class="spring"></span>
      ${actions
        .filter(({ states }) => states.includes(job.state))
        .map(
          (action) =>
            html`<button type="button" key=${action.name} class=${action.isBad ? "danger" : action.name === "retry" ? "primary" : ""} onClick=${() => act(action)}>${action.word}</button>`,
        )}
    </div>
    <div class="panels">
      <${Timeline} job=${job} nowMs=${nowMs} />
      <${Facts} page=${page} />
      <${LastError} job=${job} />
      <${Attempts} job=${job} />
      <${Chain} page=${page} />
    </div>
  `;
}

function Timeline({ job, nowMs }) {
  const steps = [
    { word: "Created", at: job.createdAt, icon: "jobs" },
    { word: job.state === "scheduled" ? "Due" : "Was due", at: job.runAt },
    { word: "Last started", at: job.startedAt },
    { word: job.state === "completed" ? "Completed" : "Finished", at: job.finishedAt },
  ].filter((step) => step.at !== null);
  return html`
    <section><h2>Timeline</h2>
      <ol class="timeline">
        ${steps.map(
          ({ word, at }) => html`
          <li key=${word}><b>${word}</b><time datetime=${at}>${time(at)}</time><span class="hint">${new Date(at) > nowMs ? `in ${duration(new Date(at) - nowMs)}` : ago(at, nowMs)}</span></li>`,
        )}
        ${job.runMs !== null && html`<li class="hint">Ran for ${duration(job.runMs)}${job.worker ? html` at <code>${job.worker}</code>` : ""}</li>`}
      </ol>
    </section>
  `;
}

function Facts({ page }) {
  const { job, payload, trace } = page;
  const facts = [
    ["Queue", job.queue],
    [
      "Lane",
      html`<${Link} href=${`/console/jobs?queue=${job.queue}&lane=${encodeURIComponent(job.lane)}`}><code>${job.lane}</code><//>`,
    ],
    ["Order key", trace.orderingKey && html`<code>${trace.orderingKey}</code>`],
    ["Workspace", html`<code>${job.workspaceId}</code>`],
    ["Priority", job.priority],
    ["Attempts", `${job.attempts} of ${job.maxAttempts}`],
    ["Workers that died with it", trace.deaths > 0 && trace.deaths],
    ...Object.entries(payload.shown).map(([name, value]) => [name, html`<code>${value}</code>`]),
    ["Also holds, not shown here", payload.hidden.length > 0 && payload.hidden.join(", ")],
  ].filter(([, value]) => value !== null && value !== false && value !== "");
  return html`
    <section><h2>Details</h2>
      <dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    </section>
  `;
}

const LastError = ({ job }) =>
  job.error !== null &&
  html`
    <section class="wide"><h2>Last error</h2>
      <p><b>${job.errorClass}</b></p>
      <pre tabindex="0" aria-label="Error text">${job.error}</pre>
    </section>`;

function Attempts({ job }) {
  const { attemptLog } = job;
  if (attemptLog.length === 0) return null;
  return html`
    <section class="wide"><h2>Failed attempts</h2>
      <div class="scroll" tabindex="0" role="region" aria-label="Failed attempts">
        <table>
          <thead><tr><th scope="col" class="number">Attempt</th><th scope="col">Outcome</th><th scope="col">Finished</th>
            <th scope="col" class="number">Took</th><th scope="col">Worker</th><th scope="col">Error</th></tr></thead>
          <tbody>${attemptLog.map(
            (each, n) => html`
            <tr key=${n}><th scope="row" class="number">${each.attempt}</th><td>${each.outcome}</td><td class="when">${time(each.finishedAt)}</td>
              <td class="number">${duration(each.runMs)}</td><td><code>${each.worker ?? "–"}</code></td>
              <td class="error"><b>${each.errorClass}</b> ${each.error}</td></tr>`,
          )}</tbody>
        </table>
      </div>
    </section>
  `;
}

/** What led to this job, and what it led to. */
function Chain({ page }) {
  const { trace, outbound, messages } = page;
  const { causes, effects, moreEffects } = trace;
  const nothing = effects.length === 0 && messages.length === 0 && outbound === null;
  return html`
    <section class="wide"><h2>Cause</h2>
      ${causes.length === 0 ? html`<p class="hint">No other job caused this one.</p>` : html`<${Traced} jobs=${causes} />`}
    </section>
    <section class="wide"><h2>Effects</h2>
      ${nothing && html`<p class="hint">None that is on record.</p>`}
      <${Traced} jobs=${effects} />
      ${moreEffects && html`<p class="hint">The first ${count(effects.length)}; there are more.</p>`}
      ${
        outbound !== null &&
        html`
        <dl><dt>Message to send</dt><dd><${State} of=${outbound.state} /> <code>${outbound.messageId}</code></dd>
          <dt>Chat</dt><dd><code>${outbound.chatId}</code></dd>
          ${outbound.telegramMessageIds.length > 0 && html`<dt>Number at Telegram</dt><dd><code>${outbound.telegramMessageIds.join(", ")}</code></dd>`}
          ${outbound.errorClass !== null && html`<dt>Error</dt><dd>${outbound.errorClass}</dd>`}
        </dl>`
      }
      ${
        messages.length > 0 &&
        html`<dl>${messages.map(
          (each) => html`
          <dt>Message ${each.direction === "in" ? "received" : "sent"}</dt>
          <dd><code>${each.messageId}</code> in conversation <code>${each.conversationId}</code></dd>`,
        )}</dl>`
      }
    </section>
  `;
}

const Traced = ({ jobs }) =>
  jobs.length > 0 &&
  html`
    <ul class="traced">
      ${jobs.map(
        (job) => html`
        <li key=${job.id}><${Link} href=${`/console/jobs/${job.id}`}>${job.id}<//> <span>${job.queue} · ${job.kind}</span>
          <${State} of=${job.state} /> <span class="hint">${time(job.createdAt)}${job.errorClass ? ` · ${job.errorClass}` : ""}</span></li>`,
      )}
    </ul>`;
