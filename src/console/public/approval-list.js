import { useEffect, useRef, useState } from "preact/hooks";
import { count, duration, time } from "./format.js";
import { html } from "./html.js";
import { State } from "./icons.js";
import { go, Link, usePlace } from "./router.js";
import { toast } from "./toasts.js";
import { call } from "./workspace-api.js";

const STATES = ["waiting", "approved", "rejected", "expired", "cancelled"];

/** Messages that somebody was asked to approve, the newest first. Which ones stands in the address. */
export function ApprovalList() {
  const { query } = usePlace();
  const [list, setList] = useState({});
  const asked = useRef(0);
  const hasMore = useRef(false);
  const state = new URLSearchParams(query).get("state") ?? "waiting";

  const load = async (more = []) => {
    const turn = ++asked.current;
    hasMore.current = more.length > 0;
    const cursor = more.length > 0 ? `&cursor=${encodeURIComponent(list.nextCursor)}` : "";
    try {
      const found = await call("GET", `/v1/approvals?state=${encodeURIComponent(state)}${cursor}`);
      const data = [...more, ...found.data];
      if (turn === asked.current) setList({ data, nextCursor: found.nextCursor });
    } catch (error) {
      if (turn === asked.current) setList((old) => ({ ...old, error: error.message }));
    }
  };
  // Each look is in the audit log: so it is looked when somebody comes, and not by the clock.
  useEffect(() => {
    setList({});
    load();
    const look = () => {
      // What was turned to stays where it is.
      if (!document.hidden && !hasMore.current) load();
    };
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, [state]);

  const { data, nextCursor, error } = list;
  return html`
    <div class="bulk">
      <label class="inline">State
        <select value=${state} onChange=${(event) => go(`/console/approvals?state=${event.target.value}`, { replace: true })}>
          ${STATES.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
        </select>
      </label>
      <button type="button" onClick=${async () => {
        await load();
        toast("Looked again.");
      }}>Look again</button>
    </div>
    ${error !== undefined && html`<p class="trouble" role="alert">${error}</p>`}
    ${
      data === undefined
        ? error === undefined && html`<p class="loading" role="status">Looking…</p>`
        : data.length === 0
          ? html`<p class="nothing">${state === "waiting" ? "Nothing waits for an approval." : `None is ${state}.`}</p>`
          : html`<${List} approvals=${data} />`
    }
    ${nextCursor && html`<div class="paging"><button type="button" onClick=${() => load(data)}>Older</button></div>`}
  `;
}

const List = ({ approvals }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label="Approvals">
    <table>
      <thead><tr><th scope="col">To</th><th scope="col">State</th><th scope="col">Rule</th><th scope="col">From</th>
        <th scope="col">Asked</th><th scope="col">Decided, or to be decided by</th></tr></thead>
      <tbody>${approvals.map(
        (one) => html`
        <tr key=${one.messageId}>
          <th scope="row"><${Link} href=${`/console/approvals/${one.messageId}`}><${To} approval=${one} /><//></th>
          <td><${State} of=${one.state} />${one.state === "waiting" && html` <span class="hint">${left(one)}</span>`}</td>
          <td><bdi>${one.rule.name}</bdi></td>
          <td><bdi>${one.authorName ?? "unknown"}</bdi></td>
          <td class="when"><time datetime=${one.askedAt}>${time(one.askedAt)}</time></td>
          <td class="when"><${Deadline} approval=${one} /></td>
        </tr>`,
      )}</tbody>
    </table>
  </div>
`;

/** Whom it is sent to. A title can turn around what stands beside it, and is kept apart. */
export function To({ approval: { broadcast, chatTitle, chatId, connectorName } }) {
  return html`${
    broadcast !== undefined
      ? `${count(broadcast.recipients - broadcast.optedOut)} chats of a broadcast`
      : html`${chatTitle !== null && html`<bdi>${chatTitle}</bdi> · `}<code>${chatId}</code>`
  }, by <bdi>${connectorName}</bdi>`;
}

const left = ({ missing, needed }) => (needed > 1 ? `${needed - missing} of ${needed}` : "");

/** When it was decided, or how long there is time. */
export function Deadline({ approval: { state, decidedAt, expiresAt } }) {
  const at = state === "waiting" ? expiresAt : (decidedAt ?? expiresAt);
  const leftMs = new Date(expiresAt) - Date.now();
  return html`<time datetime=${at}>${time(at)}</time>${
    state === "waiting" &&
    html` <span class="hint">${leftMs > 0 ? `in ${duration(leftMs)}` : "too late"}</span>`
  }`;
}
