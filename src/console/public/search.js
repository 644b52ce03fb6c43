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
/** Those that are rarely wanted wait behind "More fields". */
const texts = [
  { name: "q", label: "Id, or words of an error" },
  { name: "lane", label: "Lane" },
];
const moreTexts = [
  { name: "connectorId", label: "Bot (connector's id)" },
  { name: "chatId", label: "Chat id" },
  { name: "updateId", label: "Update id" },
  { name: "errorClass", label: "Error class" },
  { name: "workspaceId", label: "Workspace" },
];
const times = [
  { name: "from", label: "Created from" },
  { name: "to", label: "Created before" },
];

/** The address has times in UTC; the form has those of the reader's own clock. */
function localTime(iso) {
  const at = new Date(iso);
  if (iso === "" || Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** The search form. What is filled in goes into the address; the page looks for that. */
export function Search({ query }) {
  const form = useRef();
  const values = new URLSearchParams(query);
  const given = (name) => values.get(name) ?? "";
  const submit = (event) => {
    event?.preventDefault();
    const filled = [...new FormData(form.current)].filter(([, value]) => value.trim() !== "");
    const asked = filled.map(([name, value]) =>
      times.some((field) => field.name === name)
        ? [name, new Date(value).toISOString()]
        : [name, value],
    );
    go(`/console/jobs?${new URLSearchParams(asked)}`);
  };
  const text = ({ name, label }) => html`
    <label key=${name}>${label}<input name=${name} defaultValue=${given(name)} spellcheck="false" autocomplete="off" /></label>`;
  return html`
    <form class="search" role="search" aria-label="Jobs" ref=${form} onSubmit=${submit} key=${query}>
      <div class="fields">
        <label>Queue<select name="queue" onChange=${submit}>
          <option value="">any</option>
          ${queues.map((name) => html`<option value=${name} selected=${name === given("queue")}>${name}</option>`)}
        </select></label>
        <label>State<select name="state" onChange=${submit}>
          <option value="">any</option>
          ${states.map(({ value, word }) => html`<option value=${value} selected=${value === given("state")}>${word}</option>`)}
        </select></label>
        ${texts.map(text)}
        <div class="buttons"><button type="submit" class="primary">Search</button>
          <button type="button" onClick=${() => go("/console/jobs")}>Clear</button></div>
      </div>
      <details open=${[...moreTexts, ...times].some(({ name }) => given(name) !== "")}>
        <summary>More fields</summary>
        <div class="fields">
          ${moreTexts.map(text)}
          ${times.map(({ name, label }) => html`<label key=${name}>${label}<input type="datetime-local" step="1" name=${name} defaultValue=${localTime(given(name))} /></label>`)}
        </div>
      </details>
    </form>
  `;
}
