import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { Icon } from "./icons.js";

let list = [];
let next = 1;
const listeners = new Set();

/** Says what was done, or what went wrong, for a few seconds. */
export function toast(text, isError = false) {
  const entry = { id: next++, text, isError };
  change([...list, entry].slice(-4));
  setTimeout(() => change(list.filter((each) => each !== entry)), isError ? 8_000 : 4_500);
}

function change(entries) {
  list = entries;
  for (const run of listeners) run(list);
}

/** Runs an action and says what went wrong, if something did. Gives its answer, or undefined. */
export async function attempt(action) {
  try {
    return (await action()) ?? true;
  } catch (error) {
    toast(error.message, true);
    return undefined;
  }
}

export function Toasts() {
  const [entries, setEntries] = useState(list);
  useEffect(() => {
    listeners.add(setEntries);
    return () => listeners.delete(setEntries);
  }, []);
  return html`
    <div class="toasts" role="status" aria-live="polite">
      ${entries.map((each) => html`<div key=${each.id} class=${`toast ${each.isError ? "error" : ""}`}><${Icon} name=${each.isError ? "failing" : "ok"} />${each.text}</div>`)}
    </div>
  `;
}
