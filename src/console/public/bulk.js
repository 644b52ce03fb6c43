import { useState } from "preact/hooks";
import { post } from "./api.js";
import { Confirm } from "./dialog.js";
import { count } from "./format.js";
import { html } from "./html.js";
import { actions } from "./job-actions.js";
import { attempt, toast } from "./toasts.js";

/** Changes all jobs that match the search: says how many first, and asks. */
export function Bulk({ query, onChanged }) {
  const [plan, setPlan] = useState();
  const filter = Object.fromEntries(
    [...new URLSearchParams(query)].filter(([name]) => name !== "before"),
  );
  if (Object.keys(filter).length === 0) {
    return html`<p class="hint">Search first to change all jobs that match.</p>`;
  }
  const ask = async (action, done) => {
    setPlan({ action, done });
    const counted = await attempt(() => post(`/jobs/${action.name}`, { filter, dryRun: true }));
    setPlan(counted && { action, done, ...counted });
  };
  const go = async ({ action }) => {
    const answer = await attempt(() => post(`/jobs/${action.name}`, { filter }));
    if (answer !== undefined) toast(`${action.word}: ${of(answer.changed)}`);
    onChanged();
    // One call changes so many and no more: the rest is asked about again.
    if (answer?.changed > 0 && answer.left.count > 0) ask(action, answer.changed);
  };
  const possible = actions.filter(({ states }) => !filter.state || states.includes(filter.state));
  return html`
    <div class="bulk" role="group" aria-label="All that match">
      <span class="hint">All that match:</span>
      ${possible.map((action) => html`<button type="button" key=${action.name} class=${action.isBad ? "danger" : ""} onClick=${() => ask(action)}>${action.word}…</button>`)}
      ${possible.length === 0 && html`<span class="hint">nothing can be done by hand in this state.</span>`}
    </div>
    ${plan !== undefined && html`<${Ask} plan=${plan} onConfirm=${() => go(plan)} onClose=${() => setPlan(undefined)} />`}
  `;
}

const of = (n) => `${count(n)} ${n === 1 ? "job" : "jobs"}`;
const about = ({ count: n, capped }) => (capped ? `More than ${of(n)}` : of(n));

function Ask({ plan, onConfirm, onClose }) {
  const { action, matching, running, done } = plan;
  const nothing = matching?.count === 0;
  return html`
    <${Confirm} title=${`${action.word} all that match?`} isBad=${action.isBad}
      action=${matching === undefined ? undefined : nothing ? "Close" : `${action.word} ${matching.capped ? "them" : of(matching.count)}`}
      onConfirm=${nothing ? undefined : onConfirm} onClose=${onClose}>
      ${done !== undefined && html`<p>${of(done)} done; there are more.</p>`}
      ${matching !== undefined && html`<p><b>${about(matching)}</b> ${matching.count === 1 && !matching.capped ? "matches" : "match"} and can be changed so.</p>`}
      ${running?.count > 0 && html`<p>${about(running)} that ${running.count === 1 ? "is" : "are"} running now will be left alone.</p>`}
      <p class="hint">${action.explain}</p>
    <//>
  `;
}
