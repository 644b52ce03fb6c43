import { html } from "./html.js";

/** Line icons on a 24 grid. Beside a word they are decoration; alone, their button has a label. */
const paths = {
  queues: "M4 6h16M4 12h16M4 18h10",
  jobs: "M5 4h14v16H5V4Zm3 5h8m-8 4h8m-8 4h5",
  processes: "M4 5h16v6H4V5Zm0 8h16v6H4v-6Zm3-5v.01M7 16v.01",
  bots: "M5 9h14v10H5V9Zm7-5v5M9 13v2m6-2v2M2 13v3m20-3v3",
  wakes:
    "M12 3v3m0 12v3M3 12h3m12 0h3M6 6l2 2m8 8 2 2m0-12-2 2m-8 8-2 2m6-3a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  approvals: "M5 4h14v16H5V4Zm4 8 2.500 2.500L15.500 10",
  ok: "M5 13l4 4L19 7",
  waiting: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-14v5l3 2",
  scheduled: "M5 6h14v14H5V6Zm0 5h14M9 3v5m6-5v5",
  running: "M8 5v14l11-7L8 5Z",
  retryable: "M19 6v5h-5m5 0a7.500 7.500 0 1 0 1 5",
  failing: "M12 3 2 20h20L12 3Zm0 7v4m0 3v.01",
  off: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM6 18 18 6",
  paused: "M9 5v14M15 5v14",
  gone: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm-3-12 6 6m0-6-6 6",
  held: "M6 11h12v9H6v-9Zm2.500 0V8a3.500 3.500 0 0 1 7 0v3",
  close: "M6 6l12 12M18 6 6 18",
  out: "M14 4H5v16h9M10 12h11m-4-4 4 4-4 4",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1m2 4a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
};

export const Icon = ({ name }) => html`
  <svg class=${`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true"><path d=${paths[name]} /></svg>
`;

/** A state is an icon and a word; its colour only repeats them. */
const states = {
  available: { icon: "waiting", word: "waiting" },
  scheduled: { icon: "scheduled", word: "scheduled" },
  running: { icon: "running", word: "running" },
  retryable: { icon: "retryable", word: "retryable", tone: "warn" },
  completed: { icon: "ok", word: "completed", tone: "good" },
  discarded: { icon: "failing", word: "discarded", tone: "bad" },
  cancelled: { icon: "off", word: "cancelled" },
  paused: { icon: "paused", word: "paused", tone: "warn" },
  working: { icon: "ok", word: "working", tone: "good" },
  unattended: { icon: "off", word: "no worker", tone: "warn" },
  alive: { icon: "ok", word: "alive", tone: "good" },
  gone: { icon: "gone", word: "gone", tone: "bad" },
  active: { icon: "ok", word: "active", tone: "good" },
  pending: { icon: "waiting", word: "pending", tone: "warn" },
  disabled: { icon: "failing", word: "disabled", tone: "bad" },
  held: { icon: "held", word: "held", tone: "warn" },
  sent: { icon: "ok", word: "sent", tone: "good" },
  queued: { icon: "waiting", word: "queued" },
  sending: { icon: "running", word: "sending" },
  unknown: { icon: "failing", word: "unknown", tone: "warn" },
  failed: { icon: "failing", word: "failed", tone: "bad" },
  waiting: { icon: "waiting", word: "waiting", tone: "warn" },
  approved: { icon: "ok", word: "approved", tone: "good" },
  rejected: { icon: "off", word: "rejected", tone: "bad" },
  expired: { icon: "gone", word: "expired", tone: "warn" },
};

export const State = ({ of }) => {
  const { icon, word, tone } = states[of] ?? { icon: "waiting", word: of };
  return html`<span class=${`state ${tone ?? ""}`}><${Icon} name=${icon} />${word}</span>`;
};
