import { Chart, DURATION_STEPS } from "./chart.js";
import { count, duration, rate, shortDuration } from "./format.js";
import { html } from "./html.js";
import { State } from "./icons.js";
import { useTopic } from "./live.js";
import { QueueSwitch } from "./queue-switch.js";
import { Link } from "./router.js";

const counts = [
  { state: "available", head: "Waiting" },
  { state: "scheduled", head: "Scheduled" },
  { state: "running", head: "Running" },
  { state: "retryable", head: "Retryable" },
  { state: "discarded", head: "Discarded" },
];

/** Every queue at a glance. The oldest waiting job is always there: a latency goes quiet in a stall. */
export function Overview() {
  const pictures = useTopic("queues");
  const now = pictures.get("queues");
  const columns = pictures.get("history");
  if (now === undefined) return html`<p class="loading" role="status">Looking…</p>`;
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Queues">
      <table class="queues">
        <thead><tr>
          <th scope="col">Queue</th><th scope="col">State</th>
          <th scope="col" class="number">Oldest waiting</th>
          ${counts.map(({ head }) => html`<th scope="col" class="number">${head}</th>`)}
          <th scope="col" class="number">Completed</th>
          <th scope="col" class="number">Wait p50 / p95 / p99</th>
          <th scope="col" class="number">Run p50 / p95 / p99</th>
          <th scope="col"><span class="sr">Pause or resume</span></th>
        </tr></thead>
        <tbody>${now.queues.map((queue) => html`<${Row} key=${queue.name} queue=${queue} />`)}</tbody>
      </table>
    </div>
    <p class="hint">Rates and latencies are of the last minute. Wait is from due to begun.</p>
    ${
      columns !== undefined &&
      html`
      <h2>Last minutes</h2>
      <div class="charts">
        <${Chart} title="Age of the oldest waiting job" figure="oldestMs" columns=${columns} show=${duration} steps=${DURATION_STEPS} />
        <${Chart} title="Jobs waiting or retryable" figure="waiting" columns=${columns} show=${count} />
        <${Chart} title="Jobs completed a second" figure="perSecond" columns=${columns} show=${rate} />
        <${Chart} title="Wait before it begins, p95" figure="waitP95Ms" columns=${columns} show=${duration} steps=${DURATION_STEPS} />
        <${Chart} title="Run time, p95" figure="runP95Ms" columns=${columns} show=${duration} steps=${DURATION_STEPS} />
      </div>`
    }
  `;
}

/** Nobody works on it, so what is put into it waits until somebody does. */
const stateOf = ({ paused, workers }) => {
  if (paused) return "paused";
  return workers === 0 ? "unattended" : "working";
};

/** From here on an age is worth a look; the same for every queue, since lanes should not wait. */
const OLD_MS = 60_000;

function Row({ queue }) {
  const { name, counts: of, oldestWaitingMs, waitMs, runMs } = queue;
  const isOld = oldestWaitingMs !== null && oldestWaitingMs >= OLD_MS;
  return html`
    <tr>
      <th scope="row"><${Link} href=${`/console/jobs?queue=${name}`}>${name}<//></th>
      <td><${State} of=${stateOf(queue)} /></td>
      <td class=${`number ${isOld ? "bad" : ""}`}>${oldestWaitingMs === null ? html`<span class="faint">none</span>` : duration(oldestWaitingMs)}</td>
      ${counts.map(
        ({ state }) => html`
        <td class="number">${
          of[state] === 0
            ? html`<span class="faint">0</span>`
            : html`<${Link} href=${`/console/jobs?queue=${name}&state=${state}`} aria-label=${`${count(of[state])} ${state} jobs of ${name}`}>${count(of[state])}<//>`
        }</td>`,
      )}
      <td class="number">${rate(queue.perSecond)}</td>
      <td class="number">${three(waitMs)}</td>
      <td class="number">${three(runMs)}</td>
      <td><${QueueSwitch} queue=${queue} /></td>
    </tr>
  `;
}

const three = ({ p50, p95, p99 }) =>
  p50 === null
    ? html`<span class="faint">–</span>`
    : [p50, p95, p99].map((ms) => shortDuration(ms)).join(" / ");
