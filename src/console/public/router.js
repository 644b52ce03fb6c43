import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";

/** Pages are addresses, so that they can be opened in a tab, kept and sent on. */
const listeners = new Set();
const place = () => ({ path: location.pathname.replace(/(.)\/+$/, "$1"), query: location.search });

function notify() {
  for (const run of listeners) run(place());
}
addEventListener("popstate", notify);

/** Goes to a page of the console; `replace` leaves no entry to come back to. */
export function go(href, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", href);
  if (!replace) {
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }
  notify();
}

export function usePlace() {
  const [now, setPlace] = useState(place);
  useEffect(() => {
    listeners.add(setPlace);
    return () => listeners.delete(setPlace);
  }, []);
  return now;
}

/** A link inside the console. With a modifier key it is what a link always is. */
export const Link = ({ href, children, ...more }) => html`
  <a href=${href} ...${more} onClick=${(event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    event.preventDefault();
    go(href);
  }}>${children}</a>
`;
