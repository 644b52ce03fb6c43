import { MAX_FOUND, SEARCH_KINDS, type SearchKind } from "../../register/index.ts";

/** What is looked for, and from where on it is shown. */
export interface AskedFor {
  words: string;
  kinds: readonly SearchKind[];
  offset: number;
}

/** Bot API: answerInlineQuery, "no more than 50 results per query". Fewer are there sooner. */
export const PAGE = 25;

/** The first word may say which kind, in any language; the rest is what is looked for. */
const KIND_WORDS: Record<string, SearchKind> = {
  compliance: "control",
  control: "control",
  controls: "control",
  risk: "risk",
  risks: "risk",
  evidence: "evidence",
  maßnahme: "control",
  maßnahmen: "control",
  risiko: "risk",
  risiken: "risk",
  nachweis: "evidence",
  nachweise: "evidence",
};

/**
 * Null for an offset that no answer has given: it comes back from a client, which may say anything.
 */
export function askedFor(query: string, offset: string): AskedFor | null {
  const place = offsetOf(offset);
  if (place === null) return null;
  const [first = "", ...rest] = query.trim().split(/\s+/);
  const kind = Object.hasOwn(KIND_WORDS, first.toLowerCase())
    ? KIND_WORDS[first.toLowerCase()]
    : undefined;
  if (kind === undefined) return { words: query, kinds: SEARCH_KINDS, offset: place };
  return { words: rest.join(" "), kinds: [kind], offset: place };
}

function offsetOf(offset: string): number | null {
  if (offset === "") return 0;
  if (!/^[1-9][0-9]{0,3}$/.test(offset)) return null;
  const place = Number(offset);
  return place % PAGE === 0 && place < MAX_FOUND ? place : null;
}

/** Of an answer that shows a whole page and knows of more; empty: there is no more. */
export function offsetAfter({ offset }: AskedFor, isMore: boolean): string {
  const next = offset + PAGE;
  return isMore && next < MAX_FOUND ? String(next) : "";
}
