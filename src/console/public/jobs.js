import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "./api.js";
import { Bulk } from "./bulk.js";
import { ago, time } from "./format.js";
import { html } from "./html.js";
import { State } from "./icons.js";
import { useLiveState, useNow, useTopic } from "./live.js";
import { go, Link, usePlace } from "./router.js";
import { Search } from "./search.js";

/** The ledger, newest first. What is looked for stands in the address. */
export function Jobs() {
  const { query } = usePlace();
  const pictures = useTopic("queues");
  const { paused } = useLiveState();
  const [list, setList] = useState({});
  const asking = useRef(false);
  const moment = pictures.get("queues")?.atMs;
  const nowMs = useNow();
  const isFirstPage = !new URLSearchParams(query).has("before");

  const load = async () => {
    if (asking.current) return;
    asking.current = true;
    try {
      const found = await get(`/jobs${query}`);
      if (location.search === query) setList({ ...found, query });
    } catch (error) {
      if (location.search === query) setList((old) => ({ ...old, query, error: error.message }));
    } finally {
      asking.current = false;
    }
    // The address changed while this one was on its way.
    if (location.pathname === "/console/jobs" && location.search !== query) load();
  };
  useEffect(() => {
    load();
  }, [query]);
  // Only the newest page changes by itself: others are read.
  useEffect(() => {
    if (!paused && isFirstPage && !document.hidden && list.query === query) load();
  }, [moment]);

  const { jobs, nextBefore, error } = list;
  const next = new URLSearchParams(query);
  if (nextBefore) next.set("before", nextBefore);
  const newest = new URLSearchParams(query);
  newest.delete("before");
  return html`
    <${Search} query=${query} />
    <${Bulk} query=${query} onChanged=${load} />
    ${error !== undefined && html`<p class="trouble" role="alert">${error}</p>`}
    ${
      jobs === undefined
        ? error === undefined && html`<p class="loading" role="status">Looking…</p>`
        : jobs.length === 0
          ? html`<p class="nothing">No job matches.</p>`
          : html`<${List} jobs=${jobs} nowMs=${nowMs} />`
    }
    <div class="paging">
      ${!isFirstPage && html`<button type="button" onClick=${() => go(`/console/jobs?${newest}`)}>Newest</button>`}
      ${nextBefore && html`<button type="button" onClick=${() => go(`/console/jobs?${next}`)}>Older</button>`}
    </div>
  `;
}

const List = ({ jobs, nowMs }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label="Jobs">
    <table class="jobs">
      <thead><tr><th scope="col">Job</th><th scope="col">State</th><th scope="col">Queue</th><th scope="col">Kind</th>
        <th scope="col">Lane</th><th scope="col">Created</th><th scope="col" class="number">Attempts</th><th scope="col">Last error</th></tr></thead>
      <tbody>${jobs.map(
        (job) => html`
        <tr key=${job.id}>
          <th scope="row"><${Link} href=${`/console/jobs/${job.id}`}>${job.id}<//></th>
          <td><${State} of=${job.state} /></td>
          <td>${job.queue}</td>
          <td>${job.kind}</td>
          <td class="lane"><code title=${job.lane}>${job.lane}</code></td>
          <td title=${time(job.createdAt)} class="when">${ago(job.createdAt, nowMs)}</td>
          <td class="number">${job.attempts}/${job.maxAttempts}</td>
          <td class="error">${job.error !== null && html`<b>${job.errorClass}</b> ${job.error}`}</td>
        </tr>`,
      )}</tbody>
    </table>
  </div>
`;
