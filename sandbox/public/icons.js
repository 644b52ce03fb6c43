import { html } from "./html.js";

/** Line icons on a 24 grid. Beside a word they are decoration; alone, their button has a label. */
const paths = {
  send: "M4 12 20 4l-5 16-4-7-7-1Zm7 1 4-4",
  attach:
    "m20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.4 3.4 0 0 1 4.8 4.8l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4L14.5 7",
  reply: "M9 7 4 12l5 5M4 12h9a7 7 0 0 1 7 7",
  edit: "M4 20h4L19 9l-4-4L4 16v4Zm9-13 4 4",
  react: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm-4-7a4.500 4.500 0 0 0 8 0M9 9v.01M15 9v.01",
  close: "M6 6l12 12M18 6 6 18",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-8 9c0-4 3.6-7 8-7s8 3 8 7",
  group:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-7 9c0-3.500 3-6 7-6s7 2.500 7 6M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14.500c2.400.8 4 2.800 4 5.500",
  bot: "M5 9h14v10H5V9Zm7-5v5M9 13v2m6-2v2M2 13v3m20-3v3",
  menu: "M4 7h16M4 12h16M4 17h10",
  more: "M12 5v.01M12 12v.01M12 19v.01",
  back: "M15 5l-7 7 7 7",
  file: "M6 3h8l4 4v14H6V3Zm8 0v4h4",
  down: "M6 9l6 6 6-6",
  ok: "M5 13l4 4L19 7",
  waiting: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-14v5l3 2",
  failing: "M12 3 2 20h20L12 3Zm0 7v4m0 3v.01",
  off: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM6 18 18 6",
  plus: "M12 5v14M5 12h14",
  lock: "M6 11h12v9H6v-9Zm2.500 0V8a3.500 3.500 0 0 1 7 0v3",
};

export const Icon = ({ name }) => html`
  <svg class=${`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true"><path d=${paths[name]} /></svg>
`;

export const Avatar = ({ id, name, bot, size }) => html`
  <span class=${`avatar hue-${Math.abs(id ?? 0) % 6} ${size ?? ""}`} aria-hidden="true">
    ${bot ? html`<${Icon} name="bot" />` : initials(name)}
  </span>
`;

function initials(name = "") {
  const words = name.trim().split(/\s+/);
  return [words[0], words.length > 1 ? words.at(-1) : ""]
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("")
    .toUpperCase();
}
