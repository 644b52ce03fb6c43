import { useRef } from "preact/hooks";
import { html } from "./html.js";
import { go } from "./router.js";

const queues = ["ingest", "outbound", "evidence", "backfill", "schedule", "delivery"];
const states = [
  { value: "available", word: "waiting" },
  { value: "scheduled", word: "scheduled" },
  { value: "running", word: "running" },
  { value: "retryable", word: "retryable" },
  { value: "completed", word: "completed" },
  { value: "discarded", word: "discarded" },
  { value: "cancelled", word: "cancelled" },
];
const texts = [
  { name: "q", label: "Id, kind or error" },
  { name: "lane", label: "Lane" },
  { name: "workspaceId", label: "Workspace" },
];

/** The search form. What is filled in goes into the address; the page looks for that. */
export function Search({ query }) {
  const form = useRef();
  const values = new URLSearchParams(query);
  const given = (name) => values.get(name) ?? "";
  const submit = (event) => {
    event?.preventDefault();
    const filled = [...new FormData(form.current)].filter(([, value]) => value.trim() !== "");
    go(`/console/jobs?${new URLSearchParams(filled)}`);
  };
  return html`
    <form class="search" role="search" aria-label="Jobs" ref=${form} onSubmit=${submit} key=${query}>
      <label>Queue<select name="queue" onChange=${submit}>
        <option value="">any</option>
        ${queues.map((name) => html`<option value=${name} selected=${name === given("queue")}>${name}</option>`)}
      </select></label>
      <label>State<select name="state" onChange=${submit}>
        <option value="">any</option>
        ${states.map(({ value, word }) => html`<option value=${value} selected=${value === given("state")}>${word}</option>`)}
      </select></label>
      ${texts.map(({ name, label }) => html`<label key=${name}>${label}<input name=${name} value=${given(name)} spellcheck="false" autocomplete="off" /></label>`)}
      <div class="buttons"><button type="submit" class="primary">Search</button>
        <button type="button" onClick=${() => go("/console/jobs")}>Clear</button></div>
    </form>
  `;
}
