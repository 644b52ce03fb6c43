import { useState } from "preact/hooks";
import { post } from "./api.js";
import { Confirm } from "./dialog.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { attempt, toast } from "./toasts.js";

/** Pauses or resumes a queue; asks before it stops one. */
export function QueueSwitch({ queue }) {
  const { name, paused } = queue;
  const [asking, setAsking] = useState(false);
  const change = async (action, done) => {
    const changed = await attempt(() => post(`/queues/${name}/${action}`));
    if (changed !== undefined) toast(`${name}: ${done}`);
  };
  return html`
    <button type="button" onClick=${() => (paused ? change("resume", "goes on") : setAsking(true))}
      aria-label=${paused ? `Resume ${name}` : `Pause ${name}`}>
      <${Icon} name=${paused ? "running" : "paused"} />${paused ? "Resume" : "Pause"}
    </button>
    ${
      asking &&
      html`
      <${Confirm} title=${`Pause ${name}?`} action="Pause the queue" onConfirm=${() => change("pause", "paused")} onClose=${() => setAsking(false)}>
        <p>Its workers, of all workspaces, stop taking jobs within a second. Jobs go on being accepted and wait; none is lost, and no attempt is spent.</p>
      <//>`
    }
  `;
}
