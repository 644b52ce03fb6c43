import { ago, bytes, count, duration, time } from "./format.js";
import { html } from "./html.js";
import { State } from "./icons.js";
import { useNow, useTopic } from "./live.js";
import { Link } from "./router.js";

/** Who works here: each process by its own heartbeat. */
export function Processes() {
  const found = useTopic("processes").get("processes");
  const nowMs = useNow();
  if (found === undefined) return html`<p class="loading" role="status">Looking…</p>`;
  const { processes } = found;
  if (processes.length === 0)
    return html`<p class="nothing">No process has been heard of within a day.</p>`;
  return html`
    <p class="hint">A process that has not been heard of for 20 s is shown as gone, for a day. One that stopped by itself is not listed.</p>
    <ul class="cards">${processes.map((each) => html`<${Process} key=${each.id} process=${each} nowMs=${nowMs} />`)}</ul>
  `;
}

function Process({ process, nowMs }) {
  const { lanes, lanesHeld, alive } = process;
  return html`
    <li class="card">
      <div class="card-head"><h2>${process.role}</h2><${State} of=${alive ? "alive" : "gone"} /></div>
      <p><code>${process.host}/${process.pid}</code></p>
      <dl>
        <dt>Works on</dt><dd>${process.queues.length === 0 ? "no queue" : process.queues.join(", ")}</dd>
        <dt>Heartbeat</dt><dd>${ago(process.heartbeatAt, nowMs)}</dd>
        <dt>Up</dt><dd>${duration(new Date(process.heartbeatAt) - new Date(process.startedAt))}, since ${time(process.startedAt)}</dd>
        <dt>Version</dt><dd>${process.version}</dd>
        <dt>Memory</dt><dd>${bytes(process.memoryBytes)}</dd>
        <dt>Longest pause</dt><dd>${duration(process.eventLoopDelayMs)} of the event loop</dd>
        <dt>Lanes held</dt><dd>${count(lanesHeld)}</dd>
      </dl>
      ${
        lanes.length > 0 &&
        html`
        <details><summary>Some of its lanes (${lanes.length})</summary>
          <ul class="lanes">${lanes.map(
            ({ queue, lane }) =>
              html`<li key=${lane}>${queue} <${Link} href=${`/console/jobs?queue=${queue}&lane=${encodeURIComponent(lane)}`}><code>${lane}</code><//></li>`,
          )}</ul>
        </details>`
      }
    </li>
  `;
}
