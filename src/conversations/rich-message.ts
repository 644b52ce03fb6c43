import { asFields, asList, asText } from "./fields.ts";

/**
 * The plain text of what carries neither `text` nor `caption` (Bot API: RichMessage, Checklist), so
 * that it can be read and searched: blocks one below the other, without their formatting, pictures
 * by their captions.
 */

/** Where text is found, in reading order; an unknown block is read by the same names. */
const INLINE = ["label", "summary", "text", "alternative_text", "expression"];
const BELOW = ["blocks", "items", "cells", "caption", "credit"];
/** Deeper nesting is not shown; the receiver lets none in that would be too deep to walk. */
const MAX_DEPTH = 100;
/** As much as a message of Telegram's own makes in several parts. */
const MAX_CHARACTERS = 100_000;

/** Bot API: RichMessage. Null when it says nothing. */
export function textOfRichMessage(value: unknown): string | null {
  const lines: string[] = [];
  for (const block of asList(asFields(value)?.blocks)) addBlock(lines, block, 0);
  return joined(lines);
}

/** Bot API: Checklist: the title, then its tasks. */
export function textOfChecklist(value: unknown): string | null {
  const checklist = asFields(value);
  const tasks = asList(checklist?.tasks).map((task) => asText(asFields(task)?.text) ?? "");
  return joined([asText(checklist?.title) ?? "", ...tasks]);
}

function joined(lines: string[]): string | null {
  const text = lines.filter((line) => line !== "").join("\n");
  // Not in the middle of a character: half of one cannot be stored.
  return text === "" ? null : text.slice(0, MAX_CHARACTERS).replace(/\p{Surrogate}$/u, "");
}

function addBlock(lines: string[], value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) return;
  if (Array.isArray(value)) {
    for (const item of value) addBlock(lines, item, depth + 1);
    return;
  }
  const block = asFields(value);
  if (block === undefined) {
    lines.push(inlineText(value, depth));
    return;
  }
  lines.push(INLINE.map((name) => inlineText(block[name], depth)).join(""));
  for (const name of BELOW) {
    if (block[name] !== undefined) addBlock(lines, block[name], depth + 1);
  }
}

/** Bot API: RichText: a string, a list of them, or one in some clothes. */
function inlineText(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) return "";
  if (typeof value === "string") return asText(value) ?? "";
  if (Array.isArray(value)) return value.map((part) => inlineText(part, depth + 1)).join("");
  const fields = asFields(value);
  if (fields === undefined) return "";
  return INLINE.map((name) => inlineText(fields[name], depth + 1)).join("");
}
