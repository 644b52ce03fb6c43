import { render } from "preact";
import { Bots } from "./bots.js";
import { Frame } from "./frame.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Job } from "./job.js";
import { Jobs } from "./jobs.js";
import { setPaused, useLiveState } from "./live.js";
import { Overview } from "./overview.js";
import { Processes } from "./processes.js";
import { Link, usePlace } from "./router.js";

const pages = [
  { path: "/console", icon: "queues", title: "Queues", page: Overview },
  { path: "/console/jobs", icon: "jobs", title: "Jobs", page: Jobs },
  { path: "/console/processes", icon: "processes", title: "Processes", page: Processes },
  { path: "/console/bots", icon: "bots", title: "Bots", page: Bots },
];

function App() {
  const { path } = usePlace();
  const id = /^\/console\/jobs\/([^/]+)$/.exec(path)?.[1];
  const current = id === undefined ? pages.find((page) => page.path === path) : pages[1];
  const title = id === undefined ? (current?.title ?? "Not found") : `Job ${id}`;
  const nav = html`
    ${pages.map(
      (page) => html`
      <${Link} href=${page.path} aria-current=${page === current ? "page" : undefined}>
        <${Icon} name=${page.icon} /><span>${page.title}</span><//>`,
    )}
    <a href="/console/queues"><${Icon} name="wakes" /><span>Wakes</span></a>
    <a href="/console/approvals"><${Icon} name="approvals" /><span>Approvals</span></a>`;
  const out = html`
    <form method="post" action="/console/sign-out">
      <button type="submit" class="quiet"><${Icon} name="out" /><span>Sign out</span></button>
    </form>`;
  return html`
    <${Frame} home="/console" label="Console" title=${title} nav=${nav} out=${out} beside=${html`<${LiveControl} />`}>
      <${Trouble} />
      ${
        id !== undefined
          ? html`<${Job} id=${id} key=${id} />`
          : current === undefined
            ? html`<p>There is no such page. <${Link} href="/console">See the queues<//>.</p>`
            : html`<${current.page} key=${current.path} />`
      }
    <//>
  `;
}

/** Pages change by themselves, so there is a way to hold them still. */
function LiveControl() {
  const { paused, connected } = useLiveState();
  return html`
    <div class="live">
      <span class="state" role="status">
        ${
          paused
            ? html`<${Icon} name="paused" />standing still`
            : connected
              ? html`<${Icon} name="ok" />live`
              : html`<${Icon} name="waiting" />connecting`
        }
      </span>
      <button type="button" aria-pressed=${paused ? "true" : "false"} onClick=${() => setPaused(!paused)}>
        <${Icon} name=${paused ? "running" : "paused"} />${paused ? "Go on" : "Pause updates"}
      </button>
    </div>
  `;
}

function Trouble() {
  const { trouble } = useLiveState();
  return trouble && html`<p class="trouble" role="alert"><${Icon} name="failing" />${trouble}</p>`;
}

render(html`<${App} />`, document.getElementById("app"));
