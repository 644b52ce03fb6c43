import { useEffect } from "preact/hooks";
import { html } from "./html.js";
import { Link } from "./router.js";
import { Toasts } from "./toasts.js";

/** What stands around every page: `nav` and `out` in its head, `beside` next to its title. */
export function Frame({ home, label, title, nav, out, beside, children }) {
  useEffect(() => {
    document.title = `${title} · Heliograph`;
  }, [title]);
  return html`
    <a class="skip" href="#main">Skip to the page</a>
    <header class="top">
      <${Link} class="brand" href=${home}><img src="/console/page/icon.svg" alt="" width="28" height="28" /><span>Heliograph</span><//>
      <nav aria-label=${label}>${nav}</nav>
      ${out}
    </header>
    <main id="main" tabindex="-1">
      <div class="title"><h1>${title}</h1>${beside}</div>
      ${children}
    </main>
    <${Toasts} />
  `;
}
